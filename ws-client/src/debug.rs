//! `Debug` of errors.

/// Makes the `Debug` output of errors their `Display` text: a program that returns an error from `main` prints the
/// former, and its user should see one line that says what to do.
macro_rules! debug_as_display {
    ($($error:ty),*) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

pub(crate) use debug_as_display;
