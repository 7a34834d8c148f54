//! The kernel besides sockets: the life of XDP programs, settings of NICs, and queries. The other folder with
//! `unsafe`.

mod attachable;
mod bpf_link;
mod created_paths;
pub mod inspect;
mod nic;
mod path_mtu_socket;
mod pins;
mod privileges;
mod program;
mod socket_option;
mod tunnel_socket;

pub use attachable::PageBoundError;
pub use created_paths::CreatedPaths;
pub use nic::{NicError, NicSettings, NicUse};
pub use path_mtu_socket::open_path_mtu_sockets;
pub use pins::{
    CleanError, Cleaned, FoundPin, PinError, PinFolder, PinState, Pins, clean_pins, find_pins, is_bpffs,
    is_mount_namespace_temporary,
};
pub use privileges::drop_privileges;
pub use program::{
    AttachedProgram, ProgramChange, ProgramCounters, ProgramError, ProgramLoader, ProgramOptions,
    SteerCounters, SteerProgram, TagPlace, UplinkProgram, XdpProgram, log_libbpf,
};
pub use tunnel_socket::open_tunnel_socket;
