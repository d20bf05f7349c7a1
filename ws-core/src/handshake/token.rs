//! Field values, tokens and comma-separated lists: RFC 9110 section 5.6.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The values of all field lines of `name`, in order.
#[inline]
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).into_iter().map(HeaderValue::as_bytes)
}

/// Whether `bytes` is a `token`: one or more characters that need no quoting (RFC 9110 section 5.6.2).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_tchar(byte))
}

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
pub(super) fn is_tchar(byte: u8) -> bool {
    TCHARS.get(usize::from(byte)).is_some_and(|&is_one| is_one)
}

/// Looked up rather than compared with each: every byte of a field's name is checked.
static TCHARS: [bool; 256] = {
    let mut table = [false; 256];
    let mut entries: &mut [bool] = &mut table;
    let mut byte = 0u8;
    while let [entry, rest @ ..] = entries {
        *entry = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte = byte.wrapping_add(1);
        entries = rest;
    }
    table
};

/// `bytes` without the optional whitespace around it (RFC 9110 section 5.6.3: spaces and tabs).
pub(super) fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma-separated list spread over any number of field lines, trimmed, without empty ones.
pub(super) fn list_elements<'a>(lines: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    // RFC 9110 §5.6.1.2: a recipient MUST parse and ignore a reasonable number of empty elements.
    list_entries(lines).filter(|element| !element.is_empty())
}

/// As [`list_elements`], with the empty ones.
pub(super) fn list_entries<'a>(lines: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    // RFC 9110 §5.3: several lines of one name are one list.
    lines.flat_map(|line| line.split(|&byte| byte == b',')).map(trim_ows)
}

/// Whether the list in all these field lines has `token`, in any case (RFC 6455 section 4.2.1, items 3 and 4).
pub(super) fn has_token<'a>(lines: impl Iterator<Item = &'a [u8]>, token: &str) -> bool {
    list_elements(lines).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_characters_are_those_of_rfc_9110() {
        let separators = b"\"(),/:;<=>?@[\\]{}";
        for byte in 0..=255u8 {
            let expected = (0x21..0x7f).contains(&byte) && !separators.contains(&byte);
            assert_eq!(is_token(&[byte]), expected, "{byte:#x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn lists_lose_their_whitespace_and_their_empty_elements() {
        let lines: [&[u8]; 2] = [b" a ,\t,b", b""];
        let entries: Vec<_> = list_entries(lines.into_iter()).collect();
        assert_eq!(entries, [&b"a"[..], b"", b"b", b""]);
        let elements: Vec<_> = list_elements(lines.into_iter()).collect();
        assert_eq!(elements, [b"a", b"b"]);
    }
}
