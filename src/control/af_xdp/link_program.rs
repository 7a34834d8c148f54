//! The program of a link, by the role of the link.

use std::ops::Deref;

use crate::kernel::{NicSettings, ProgramError, SteerProgram, UplinkProgram, XdpProgram};
use crate::types::UplinkSelection;

/// The program of an open link, or of a closed one that will be opened again.
#[derive(Debug)]
pub(in crate::control) enum LinkProgram {
    Port(SteerProgram),
    /// With the settings of the NIC that it requires.
    Uplink(UplinkProgram, NicSettings),
}

impl LinkProgram {
    /// Sets the frames of an uplink that belong to the switch.
    pub(super) fn select(&self, selection: &UplinkSelection) -> Result<(), ProgramError> {
        match self {
            Self::Port(_) => Ok(()),
            Self::Uplink(program, _) => program.select(selection),
        }
    }

    /// Detaches the program, and sets the NIC back.
    pub(super) fn detach(self) {
        match self {
            Self::Port(program) => program.detach(),
            Self::Uplink(program, settings) => {
                program.detach();
                drop(settings);
            }
        }
    }
}

impl Deref for LinkProgram {
    type Target = XdpProgram;

    fn deref(&self) -> &XdpProgram {
        match self {
            Self::Port(program) => program,
            Self::Uplink(program, _) => program,
        }
    }
}
