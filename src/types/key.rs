//! Unique keys: the numbers of ports and networks.
//!
//! They are the records' `unique_key`. Dragonflow carries a port's in OpenFlow registers 6 (source) and 7
//! (destination) and a network's in the metadata field.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A number that is no unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a unique key: expected 1 to {max}", max = i32::MAX)]
pub struct KeyError(pub u64);

/// 31 bits: Dragonflow's metadata service uses the top bit of the register as a flag.
const fn checked(key: u32) -> Result<NonZeroU32, KeyError> {
    match NonZeroU32::new(key) {
        Some(checked) if key <= i32::MAX as u32 => Ok(checked),
        _ => Err(KeyError(key as u64)),
    }
}

macro_rules! unique_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $name(NonZeroU32);

        impl $name {
            /// Checks the range of `key`.
            ///
            /// # Errors
            /// [`KeyError`] when `key` is 0 or needs more than 31 bits.
            pub const fn new(key: u32) -> Result<Self, KeyError> {
                match checked(key) {
                    Ok(key) => Ok(Self(key)),
                    Err(error) => Err(error),
                }
            }

            /// The key as a number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0.get()
            }

            /// The key as a number that is not 0.
            #[must_use]
            pub const fn nonzero(self) -> NonZeroU32 {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = KeyError;

            fn try_from(key: u32) -> Result<Self, KeyError> {
                Self::new(key)
            }
        }

        impl From<$name> for u32 {
            fn from(key: $name) -> u32 {
                key.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

unique_key! {
    /// The `unique_key` of a port.
    PortKey
}
unique_key! {
    /// The `unique_key` of a network (an `lswitch`).
    NetworkKey
}
