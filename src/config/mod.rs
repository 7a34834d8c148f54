//! The configuration of `trunkpath run`.
//!
//! A TOML file and the options of the command line are both parsed into [`Settings`], where each value is
//! optional. The options override the file, and [`Settings::check`] makes a [`Config`] of them, which holds
//! no illegal value.

mod checked;
mod cpus;
mod error;
mod file;
mod settings;
mod update;

pub use checked::{
    Config, DEFAULT_API, DEFAULT_PIN_FOLDER, DEFAULT_STATE, IdleMode, LinkOptions, OnWorkerPanic,
    PortOptions, UplinkOptions,
};
pub use cpus::CpusError;
pub use error::{ConfigError, ConfigErrors, Position};
pub use settings::{NetworkSettings, PortSettings, Settings};
pub use update::Update;
