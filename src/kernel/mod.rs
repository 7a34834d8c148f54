//! What we ask of the kernel besides sockets: the XDP program's life, and questions. The other folder with `unsafe`.

mod created_paths;
pub mod inspect;
mod pins;
mod privileges;
mod program;

pub use created_paths::CreatedPaths;
pub use pins::{
    CleanError, Cleaned, FoundPin, PinError, PinFolder, PinState, Pins, clean_pins, find_pins, is_bpffs,
    is_mount_namespace_temporary,
};
pub use privileges::drop_privileges;
pub use program::{
    AttachedProgram, ProgramChange, ProgramError, ProgramOptions, SteerCounters, SteerLoader, SteerProgram,
    log_libbpf,
};
