//! A list whose versions share unchanged pages, so that a change copies one page instead of the list.

use std::array;
use std::sync::Arc;

/// Number of entries of a page.
const PAGE: usize = 64;

/// Entries by place, some of them empty.
#[derive(Debug)]
pub(super) struct Pages<T>(Vec<Arc<Page<T>>>);

type Page<T> = [Option<Arc<T>>; PAGE];

impl<T> Pages<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / PAGE)?.get(place % PAGE)?.as_deref()
    }

    /// Sets the entry at `place`, which may be behind the end.
    pub(super) fn set(&mut self, place: usize, entry: Option<Arc<T>>) {
        if self.0.len() <= place / PAGE {
            self.0.resize_with(place / PAGE + 1, || Arc::new(array::from_fn(|_| None)));
        }
        let page = self.0.get_mut(place / PAGE).map(Arc::make_mut);
        if let Some(old) = page.and_then(|page| page.get_mut(place % PAGE)) {
            *old = entry;
        }
    }

    /// The entries that exist, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|page| page.iter()).filter_map(Option::as_deref)
    }
}

impl<T> Clone for Pages<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_copies_one_page() {
        let mut pages = Pages::new();
        for place in [0, 1, PAGE, 5 * PAGE - 1] {
            pages.set(place, Some(Arc::new(place)));
        }
        let before = pages.clone();
        pages.set(1, None);
        assert_eq!(before.iter().copied().collect::<Vec<_>>(), [0, 1, PAGE, 5 * PAGE - 1]);
        assert_eq!(pages.iter().copied().collect::<Vec<_>>(), [0, PAGE, 5 * PAGE - 1]);
        assert_eq!((pages.get(1), before.get(1), pages.get(9 * PAGE)), (None, Some(&1), None));
        let shared = pages.0.iter().zip(&before.0).filter(|(page, before)| Arc::ptr_eq(page, before));
        assert_eq!(shared.count(), 4);
    }
}
