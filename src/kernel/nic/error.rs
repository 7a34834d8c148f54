//! Why a NIC cannot serve as an uplink, and what to do.

use std::io;

use super::offload::Offload;

/// Why the settings of a NIC are not those that an uplink requires.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum NicError {
    /// The driver ignored the request, without an error.
    #[error("its offload {offload} stays on: {effect} -> use another NIC, or try `ethtool -K {link} {short} off`", effect = .offload.effect(), short = .offload.short_name())]
    StaysOn { link: String, offload: Offload },
    /// The state of an offload can be neither read nor changed.
    #[error(
        "cannot read or change its offloads: {source}; they must be off -> run with CAP_NET_ADMIN, and try `ethtool -k {link}`"
    )]
    Ethtool { link: String, source: io::Error },
    /// The kernel rejected the promiscuous mode.
    #[error("cannot make it promiscuous, which a provider network requires: {0} -> run with CAP_NET_RAW")]
    Promiscuous(#[source] io::Error),
}
