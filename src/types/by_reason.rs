//! A value for each reason of drops.

use std::array;
use std::ops::{Deref, DerefMut};

use super::DropReason;

/// A value for each [`DropReason`], by its [index](DropReason::index).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByReason<T>([T; DropReason::COUNT]);

impl<T: Default> Default for ByReason<T> {
    fn default() -> Self {
        Self(array::from_fn(|_| T::default()))
    }
}

impl<T> Deref for ByReason<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for ByReason<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}
