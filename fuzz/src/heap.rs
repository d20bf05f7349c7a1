//! The heap, measured rather than asked about.

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Bytes on the heap now.
pub fn live() -> usize {
    HEAP.current_usage()
}

/// A place from which growth is measured.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Mark {
    /// Measures from here on; there is one peak, so one mark at a time.
    pub fn set() -> Self {
        HEAP.reset_peak_usage();
        Self(live())
    }

    /// How much more is on the heap than at the mark.
    pub fn growth(self) -> usize {
        live().saturating_sub(self.0)
    }

    /// How much more there ever was than at the mark.
    pub fn peak(self) -> usize {
        HEAP.peak_usage().saturating_sub(self.0)
    }
}
