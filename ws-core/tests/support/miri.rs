//! How much of a test is done under Miri, which is some thousand times slower.

/// `few` under Miri, `all` elsewhere: cases, bytes, or the width of a step.
pub(crate) const fn few_or(few: usize, all: usize) -> usize {
    if cfg!(miri) { few } else { all }
}
