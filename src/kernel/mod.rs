//! What we ask of the kernel besides sockets: the XDP program's life, and questions. The other folder with `unsafe`.

pub mod inspect;
mod program;

pub use program::{ProgramError, ProgramOptions, SteerCounters, SteerLoader, SteerProgram, log_libbpf};
