//! Path and query: the target of a request.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What is percent-encoded in a path, beside all that is not ASCII: the URL standard's path percent-encode set.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// The same for a query, of a scheme with hosts: the special-query percent-encode set.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');

/// Returns path and query without dot segments, and with all that a target cannot contain percent-encoded.
pub(super) fn target(text: &str) -> String {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let mut target = String::new();
    for segment in segments(path) {
        target.push('/');
        target.extend(utf8_percent_encode(segment, PATH));
    }
    if let Some(query) = query {
        target.push('?');
        target.extend(utf8_percent_encode(query, QUERY));
    }
    target
}

/// Returns the segments of a path, at least one, without dot segments (RFC 3986 section 5.2.4).
fn segments(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut all = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = all.next() {
        let dots = dots(segment);
        if dots == Some(2) {
            segments.pop();
        }
        match dots {
            // A folder remains, and ends in a slash.
            Some(_) if all.peek().is_none() => segments.push(""),
            Some(_) => {}
            None => segments.push(segment),
        }
    }
    segments
}

/// Returns the number of dots if a segment is `.` or `..`. Each dot may be percent-encoded, as it means the same then
/// (RFC 3986 section 6.2.2.2).
fn dots(segment: &str) -> Option<usize> {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() {
        rest = [".", "%2e", "%2E"].iter().find_map(|dot| rest.strip_prefix(dot))?;
        dots += 1;
    }
    matches!(dots, 1 | 2).then_some(dots)
}
