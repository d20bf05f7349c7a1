//! HTTP heads once more, whole and slowly: RFC 9112 sections 2 to 5 as the contract narrows them, and
//! the lists of RFC 6455 section 9.1. It shares no code with ws-core.

use std::borrow::Cow;

/// The head of a message, cut into its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    /// The first line.
    pub start: &'a [u8],
    /// Names and values in order; whitespace around a value is not part of it, and a fold is a space.
    pub fields: Vec<(&'a [u8], Cow<'a, [u8]>)>,
    /// Bytes of the head, its empty line included.
    pub len: usize,
}

/// Not a head, whatever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Head<'a> {
    /// The head of a request that `bytes` begin with, `None` if its end is not there.
    ///
    /// # Errors
    /// [`Malformed`] for a head that is whole, and not in the grammar.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        Self::cut(bytes, false)
    }

    /// As [`read`](Self::read), of a response: lines that begin with whitespace go on with the value before them
    /// (RFC 9112 section 5.2).
    ///
    /// # Errors
    /// As there.
    pub fn read_response(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        Self::cut(bytes, true)
    }

    fn cut(bytes: &'a [u8], folds: bool) -> Result<Option<Self>, Malformed> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let mut lines = Vec::new();
        let mut rest = &bytes[..end + 2];
        while let Some(length) = rest.windows(2).position(|window| window == b"\r\n") {
            lines.push(&rest[..length]);
            rest = &rest[length + 2..];
        }
        let (start, lines) = lines.split_first().ok_or(Malformed)?;
        let mut fields: Vec<(&[u8], Cow<'_, [u8]>)> = Vec::new();
        let legal = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7F;
        for line in lines {
            if folds && line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
                let (_, value) = fields.last_mut().ok_or(Malformed)?;
                if !line.iter().all(legal) {
                    return Err(Malformed);
                }
                let joined = [trim(value), trim(line)].join(&b' ');
                *value = Cow::Owned(trim(&joined).to_vec());
                continue;
            }
            let colon = line.iter().position(|&byte| byte == b':').ok_or(Malformed)?;
            let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
            if !is_token(name) || !value.iter().all(legal) {
                return Err(Malformed);
            }
            fields.push((name, Cow::Borrowed(value)));
        }
        Ok(Some(Self { start, fields, len: end + 4 }))
    }

    /// The values of all lines of `name`.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let wanted = |field: &&(&[u8], Cow<'_, [u8]>)| field.0.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(wanted).map(|field| &*field.1).collect()
    }

    /// The one value of `name`, if it is there once.
    pub fn single(&self, name: &str) -> Option<&[u8]> {
        match self.values(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Whether the list in all lines of `name` has `token`, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.list(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The elements of the list in all lines of `name`; empty ones are none (RFC 9110 section 5.6.1.2).
    pub fn list(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let elements = self.values(name).into_iter().flat_map(|value| value.split(|&byte| byte == b','));
        elements.map(trim).filter(|element| !element.is_empty())
    }
}

/// RFC 9110 section 5.6.2.
pub fn is_token(bytes: &[u8]) -> bool {
    let separator = |byte: &u8| b"\"(),/:;<=>?@[\\]{}".contains(byte);
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_graphic() && !separator(byte))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// A parameter: its name and, if it has one, its value without quotes.
pub type Parameter = (String, Option<String>);

/// The extensions in the lines of a `Sec-WebSocket-Extensions` field, `None` outside the grammar.
///
/// It first cuts at the commas and semicolons that are not quoted, then looks at what is between them.
pub fn extensions(lines: &[&[u8]]) -> Option<Vec<(String, Vec<Parameter>)>> {
    let mut extensions = Vec::new();
    for line in lines {
        for element in cut(line, b',')? {
            if element.is_empty() {
                continue;
            }
            let parts = cut(element, b';')?;
            let (name, parameters) = parts.split_first()?;
            let parameters = parameters.iter().map(|part| parameter(part)).collect::<Option<_>>()?;
            extensions.push((token(name)?, parameters));
        }
    }
    Some(extensions)
}

fn parameter(part: &[u8]) -> Option<Parameter> {
    let mut sides = part.splitn(2, |&byte| byte == b'=').map(trim);
    let name = token(sides.next()?)?;
    let value = match sides.next() {
        None => None,
        Some([b'"', quoted @ .., b'"']) => Some(token(&unquote(quoted)?)?),
        Some(value) => Some(token(value)?),
    };
    Some((name, value))
}

fn token(bytes: &[u8]) -> Option<String> {
    is_token(bytes).then(|| String::from_utf8(bytes.to_vec()).unwrap())
}

/// `None` if a quote stands alone in it, or the last backslash quotes nothing.
fn unquote(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut bytes = quoted.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => plain.push(*bytes.next()?),
            b'"' => return None,
            byte => plain.push(byte),
        }
    }
    Some(plain)
}

/// Cuts at each `separator` outside quotes, and trims the pieces. `None` if a quote does not end.
fn cut(bytes: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                pieces.push(trim(&bytes[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(trim(&bytes[start..]));
    (!quoted).then_some(pieces)
}
