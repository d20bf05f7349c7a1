//! Lists of subprotocols: the `Sec-WebSocket-Protocol` field, RFC 6455 sections 4.1 and 4.2.1.

use super::token::{is_token, list_elements};

/// Reads the client's subprotocols, in its order of preference, from all field lines. Empty elements are passed over
/// (RFC 9110 section 5.6.1.2); with nothing else in the lines no subprotocol is offered.
///
/// `Err` contains what is wrong, in words for the refusal.
pub(super) fn parse_subprotocols<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<String>, &'static str> {
    let mut subprotocols = Vec::new();
    for element in list_elements(lines) {
        // §4.1 item 10: the elements are strings of token characters ...
        if !is_token(element) {
            return Err("Sec-WebSocket-Protocol has an entry that is not a token");
        }
        subprotocols.push(String::from_utf8_lossy(element).into_owned());
    }
    // §4.1 item 10: ... and MUST all be unique.
    match repeated(&subprotocols) {
        Some(_) => Err("Sec-WebSocket-Protocol names a subprotocol twice"),
        None => Ok(subprotocols),
    }
}

/// A name that occurs twice; subprotocols are compared with their case (RFC 6455 section 11.5).
pub(super) fn repeated(subprotocols: &[String]) -> Option<&str> {
    // Sorted rather than each compared with each: the list comes from the peer, work stays near linear.
    let mut sorted: Vec<&str> = subprotocols.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(*a),
        _ => None,
    })
}
