//! One copy of each text that many records name.

use hashbrown::HashSet;

use crate::types::Id;

/// The ids that records name: of ports, networks and hosts. Says nothing of the records, so any two are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    held: HashSet<Id>,
    /// When there are so many, it is time to let go of those that nobody names any more.
    sweep_at: usize,
}

impl PartialEq for Texts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Texts {
    /// Makes `id` a copy of the one that is held.
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
    fn equal_texts_are_one_and_those_that_nobody_names_go() {
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
