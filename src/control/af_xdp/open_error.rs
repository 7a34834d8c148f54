//! Why a link could not be opened.

use super::opener::MAX_SOCKETS;
use crate::control::links::LARGEST_MTU;
use crate::kernel::{NicError, ProgramError};
use crate::xsk::OpenError;

/// The reason why a link could not be opened.
#[derive(Debug, thiserror::Error)]
pub(in crate::control) enum OpenLinkError {
    #[error("its MTU {0} is too large: packets of up to {LARGEST_MTU} bytes can be sent; set a smaller MTU")]
    Mtu(u32),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("{0}; it is tried again until it is free")]
    Socket(#[from] OpenError),
    #[error("it is no longer called {0}; it is tried again under its new name")]
    Renamed(String),
    /// An uplink that has other links below it, or is none that carries Ethernet to other hosts.
    #[error("it is a {0} link: expected a NIC, or a veth or tap -> use the NIC below it as the uplink")]
    Stacked(String),
    #[error("it has no Ethernet address: expected a NIC, or a veth or tap -> use another link as the uplink")]
    NotEthernet,
    #[error(transparent)]
    Nic(#[from] NicError),
    #[error("more than {MAX_SOCKETS} sockets are open")]
    TooMany,
}
