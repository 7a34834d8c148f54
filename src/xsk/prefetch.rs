//! Memory that is needed soon.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Size of a line of the cache.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE_BYTES: usize = 64;

/// Begins to load objects into the cache, if the CPU has an instruction for it.
#[inline]
pub(crate) fn prefetch<T>(objects: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..size_of_val(objects)).step_by(CACHE_LINE_BYTES) {
        // SAFETY: a prefetch is a hint: it neither reads nor writes, for any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(objects.as_ptr().cast::<i8>().wrapping_add(at)) };
    }
}
