//! Field names as the caller wrote them.

use http::header::{HeaderMap, HeaderName, InvalidHeaderName};

/// The spelling of the field names in a client's request: an extension of the template that
/// [`ClientHandshake::new`](super::ClientHandshake::new) takes.
///
/// Field names are compared without regard to case (RFC 9110 section 5.1), and [`HeaderName`] keeps them in lower
/// case; but some servers accept one spelling only. Names without an entry are written in lower case.
///
/// ```
/// use ws_core::handshake::{ClientHandshake, FieldNames};
///
/// let mut template = http::Request::get("ws://localhost/").header("X-Api-Key", "1").body(())?;
/// let mut names = FieldNames::default();
/// names.append("X-Api-Key")?;
/// template.extensions_mut().insert(names);
/// let handshake = ClientHandshake::new(template, &[], None, *b"16 random bytes!")?;
/// assert!(handshake.request_bytes().ends_with(b"\r\nX-Api-Key: 1\r\n\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FieldNames(HeaderMap<String>);

impl FieldNames {
    /// Adds the spelling for the next field line of this name, in the order in which the template has them. Returns
    /// the name as a key of the template.
    ///
    /// # Errors
    /// [`InvalidHeaderName`] if it is not a token.
    pub fn append(&mut self, written: &str) -> Result<HeaderName, InvalidHeaderName> {
        let name = HeaderName::from_bytes(written.as_bytes())?;
        self.0.append(&name, written.to_owned());
        Ok(name)
    }

    /// The spellings of a name, one for each field line.
    pub(super) fn of(&self, name: &HeaderName) -> impl Iterator<Item = &str> {
        self.0.get_all(name).into_iter().map(String::as_str)
    }
}
