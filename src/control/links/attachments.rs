//! The links that the operator attaches to ports by name, found by port and by link.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::Id;

/// The setting `attach`: link names by lport id.
#[derive(Debug, Default)]
pub struct Attachments {
    by_lport: BTreeMap<String, String>,
    /// Several ports may name the same link.
    by_link: BTreeMap<String, BTreeSet<Id>>,
}

impl Attachments {
    /// The attachments of the setting `attach`.
    #[must_use]
    pub fn new(attach: &BTreeMap<String, String>) -> Self {
        let mut by_link = BTreeMap::<_, BTreeSet<Id>>::new();
        for (lport, link) in attach {
            by_link.entry(link.clone()).or_default().insert(lport.as_str().into());
        }
        Self { by_lport: attach.clone(), by_link }
    }

    /// The name of the link that is attached to a port.
    #[must_use]
    pub fn link_of(&self, lport: &str) -> Option<&str> {
        self.by_lport.get(lport).map(String::as_str)
    }

    /// The port that a link of this name is attached to: the first by id, if there are several.
    #[must_use]
    pub fn lport_of(&self, link: &str) -> Option<&Id> {
        self.by_link.get(link).and_then(BTreeSet::first)
    }

    /// The ports that a link of this name is attached to.
    pub(super) fn lports_of(&self, link: &str) -> impl Iterator<Item = &Id> {
        self.by_link.get(link).into_iter().flatten()
    }

    /// The ports that have an attached link.
    pub fn lports(&self) -> impl Iterator<Item = &str> {
        self.by_lport.keys().map(String::as_str)
    }
}
