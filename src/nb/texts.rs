//! One copy of each text that many records contain.

use hashbrown::HashSet;

use crate::types::Id;

/// Ids that records refer to: of ports, networks and hosts. Not a part of the state, so any two are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    held: HashSet<Id>,
    /// The number of ids at which those without another holder are dropped.
    sweep_at: usize,
}

impl PartialEq for Texts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Texts {
    /// Replaces `id` by the shared copy.
    pub(super) fn share(&mut self, id: &mut Id) {
        if let Some(held) = self.held.get(id) {
            id.clone_from(held);
            return;
        }
        if self.held.len() >= self.sweep_at {
            self.held.retain(|id| id.holders() > 1);
            self.sweep_at = 2 * self.held.len() + 1024;
        }
        self.held.insert(id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_shared_and_unused_ones_are_dropped() {
        let mut texts = Texts::default();
        let mut first = Id::from("a");
        texts.share(&mut first);
        let mut second = Id::from("a");
        texts.share(&mut second);
        assert_eq!((first.holders(), second), (3, first.clone()));
        for number in 0..100_000 {
            texts.share(&mut Id::from(number.to_string()));
        }
        assert!(texts.held.len() < 5_000 && texts.held.contains("a"));
    }
}
