//! What the kernel offers and holds for us.

pub mod inspect;
