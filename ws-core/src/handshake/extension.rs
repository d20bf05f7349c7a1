//! The `Sec-WebSocket-Extensions` field: RFC 6455 section 9.1.

use std::fmt;

use thiserror::Error;

use super::token::is_tchar;
use crate::error::debug_by_display;

/// One extension of a `Sec-WebSocket-Extensions` field, with its parameters in the order they were sent.
///
/// Only the grammar has been checked; what a parameter means, and whether it may be repeated, is defined by the
/// extension (for permessage-deflate RFC 7692 section 7.1).
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
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[error("Sec-WebSocket-Extensions is outside its grammar: {0}")]
pub struct InvalidExtensions(pub(super) &'static str);

debug_by_display!(InvalidExtensions);

impl Extension {
    /// Reads all field lines of `Sec-WebSocket-Extensions`, in order.
    ///
    /// No line at all is an empty list. Empty elements are passed over (RFC 9110 section 5.6.1.2), so that lines with
    /// nothing else in them are an empty list too.
    ///
    /// # Errors
    /// [`InvalidExtensions`] when a line is outside the grammar.
    pub fn parse_list<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Self>, InvalidExtensions> {
        let mut extensions = Vec::new();
        for line in lines {
            Scanner { rest: line }.list(&mut extensions)?;
        }
        Ok(extensions)
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

/// Reads one field line from its front.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn list(mut self, extensions: &mut Vec<Extension>) -> Result<(), InvalidExtensions> {
        loop {
            self.skip_whitespace();
            if self.rest.is_empty() {
                return Ok(());
            }
            if self.take(b',') {
                // RFC 9110 §5.6.1.2: a recipient passes over empty elements.
                continue;
            }
            extensions.push(self.extension()?);
            if !self.take(b',') && !self.rest.is_empty() {
                return Err(InvalidExtensions("something other than a comma or semicolon follows a token"));
            }
        }
    }

    /// RFC 6455 section 9.1: `extension = extension-token *( ";" extension-param )`.
    fn extension(&mut self) -> Result<Extension, InvalidExtensions> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.take(b';') {
            parameters.push(self.parameter()?);
        }
        Ok(Extension { name, parameters })
    }

    /// RFC 6455 section 9.1: `extension-param = token [ "=" (token | quoted-string) ]`.
    fn parameter(&mut self) -> Result<ExtensionParameter, InvalidExtensions> {
        let name = self.token()?;
        if !self.take(b'=') {
            return Ok(ExtensionParameter { name, value: None });
        }
        self.skip_whitespace();
        let value = if self.rest.first() == Some(&b'"') { self.quoted()? } else { self.token()? };
        Ok(ExtensionParameter { name, value: Some(value) })
    }

    fn token(&mut self) -> Result<String, InvalidExtensions> {
        self.skip_whitespace();
        let length = self.rest.iter().take_while(|&&byte| is_tchar(byte)).count();
        let (token, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        if token.is_empty() {
            return Err(InvalidExtensions("a name or value is missing or is no token"));
        }
        self.rest = rest;
        // It is ASCII.
        Ok(str::from_utf8(token).unwrap_or_default().to_owned())
    }

    /// A quoted string (RFC 9110 section 5.6.4), unquoted.
    fn quoted(&mut self) -> Result<String, InvalidExtensions> {
        let mut value = String::new();
        let mut bytes = self.rest.iter();
        bytes.next();
        loop {
            let byte = match bytes.next() {
                Some(b'"') => break,
                Some(b'\\') => bytes.next(),
                byte => byte,
            };
            match byte {
                // RFC 6455 §9.1: what is in the quotes MUST be a token once unquoted.
                Some(&byte) if is_tchar(byte) => value.push(char::from(byte)),
                Some(_) => return Err(InvalidExtensions("a quoted value is no token once unquoted")),
                None => return Err(InvalidExtensions("a quoted value does not end")),
            }
        }
        if value.is_empty() {
            return Err(InvalidExtensions("a quoted value is empty"));
        }
        self.rest = bytes.as_slice();
        Ok(value)
    }

    /// Takes `byte` if it comes next, whitespace before it aside.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        match self.rest.strip_prefix(&[byte]) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_whitespace(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<String, InvalidExtensions> {
        let extensions = Extension::parse_list([line.as_bytes()])?;
        Ok(extensions.iter().map(Extension::to_string).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn extensions_are_read_with_their_parameters() {
        for (line, expected) in [
            ("a", "a"),
            ("a, b", "a, b"),
            (" a ;\tx = 1 ;y , b", "a; x=1; y, b"),
            ("a;x=\"1\"", "a; x=1"),
            ("a;x=\"\\1\\2\"", "a; x=12"),
            (",a,,b,", "a, b"),
            ("", ""),
            (" ", ""),
            (",", ""),
            (", ,", ""),
            ("a;x;x", "a; x; x"),
            (
                "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate",
                "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate",
            ),
        ] {
            assert_eq!(parse(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_outside_the_grammar_is_an_error() {
        for line in [
            ";",
            "=",
            "a;",
            "a;;b",
            "a;,b",
            "a;=1",
            "a;x=",
            "a;x=;y",
            "a;x=,b",
            "a b",
            "a;x y",
            "a;x=1 2",
            "a;x=1=2",
            "a/b",
            "a;x=\"",
            "a;x=\"1",
            "a;x=\"\"",
            "a;x=\"1 2\"",
            "a;x=\"1,2\"",
            "a;x=\"1\"2",
            "a;x=\"1\\",
            "a;x=\"1\\\"",
            "a;\"x\"",
            "\"a\"",
            "é",
            "a;x=é",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines: [&[u8]; 2] = [b"a;x", b"b"];
        let extensions = Extension::parse_list(lines).unwrap();
        assert_eq!(
            extensions.iter().map(|extension| extension.name.as_str()).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(Extension::parse_list([]), Ok(Vec::new()));
        let lines: [&[u8]; 3] = [b"", b"b", b", "];
        assert_eq!(Extension::parse_list(lines).unwrap().len(), 1);
    }
}
