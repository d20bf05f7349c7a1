//! Heads of HTTP/2: pseudo-fields and fields (RFC 9113 section 8.3), in the form of [`Head`].

use crate::native::handshake::Head;

/// Returns the request of RFC 8441 section 5.
pub(crate) fn extended_connect(scheme: &str, authority: &str, path: &str) -> Vec<(String, String)> {
    owned(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", scheme),
        (":authority", authority),
        (":path", path),
        ("sec-websocket-version", "13"),
    ])
}

/// Returns fields with owned names and values.
pub(crate) fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Returns the head of a decoded field block: a first line as in HTTP/1.1 and all fields, also the pseudo-fields.
pub(crate) fn head(fields: Vec<(String, String)>) -> Head {
    let of = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| &value[..]);
    let first = match (of(":status"), of(":method")) {
        (Some(status), _) => format!("HTTP/2 {status}"),
        (None, method) => {
            format!("{} {} HTTP/2", method.unwrap_or_default(), of(":path").unwrap_or_default())
        }
    };
    Head { first, fields }
}

/// Returns the status of an answer.
pub(crate) fn status(head: &Head) -> Option<u16> {
    match &head.values(":status")[..] {
        [status] if status.len() == 3 => status.parse().ok(),
        _ => None,
    }
}

/// Returns the fields as text, one on each line, for the report.
pub(crate) fn text<'a>(fields: impl IntoIterator<Item = &'a (String, String)>) -> String {
    fields.into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}
