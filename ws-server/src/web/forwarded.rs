//! The fields of a request in which reverse proxies name its client: `Forwarded` (RFC 7239) and `X-Forwarded-*`.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ws_core::handshake::RequestHead;

use crate::config::handshake::HandshakeOptions;
use crate::config::proxies::{ForwardedFields, ProxyOptions};
use crate::transport::peer::{Forwarded, Peer};

/// Notes what trusted proxies say of the client of a request, and has the span of its handshake show it.
pub(crate) fn learn_client(peer: &mut Peer, head: &RequestHead, options: &HandshakeOptions) {
    // Otherwise the span has it already.
    let is_open = options.proxies.believes_fields_of(peer.client);
    if is_open {
        learn(peer, head.headers(), &options.proxies);
    }
    if is_open && let Some(client) = peer.behind() {
        tracing::Span::current().record("client", tracing::field::display(client));
    }
}

/// Notes what trusted proxies say in the fields of a request: the client is the right-most address that is no trusted
/// proxy's, as each proxy adds to the right what it has seen. What is to the left of that, the client may have
/// invented.
pub(crate) fn learn(peer: &mut Peer, headers: &HeaderMap, proxies: &ProxyOptions) {
    if !proxies.believes_fields_of(peer.client) {
        return;
    }
    let forwarded = match proxies.fields {
        ForwardedFields::None => return,
        ForwardedFields::Forwarded => standard(peer, headers, proxies),
        ForwardedFields::XForwarded => de_facto(peer, headers, proxies),
    };
    if forwarded.https.is_some() || forwarded.host.is_some() {
        peer.forwarded = Some(Box::new(forwarded));
    }
}

/// RFC 7239.
fn standard(peer: &mut Peer, headers: &HeaderMap, proxies: &ProxyOptions) -> Forwarded {
    let mut forwarded = Forwarded::default();
    for element in elements(headers, &FORWARDED, true) {
        // Each element is of one proxy, which knows its client; the one of the client itself is reached last.
        forwarded = Forwarded {
            https: parameter(element, "proto").and_then(|proto| is_https(&proto)),
            host: parameter(element, "host").filter(|host| !host.is_empty()),
        };
        let Some(address) = parameter(element, "for").and_then(|node| node_address(&node)) else { break };
        peer.client = Some(address);
        if !proxies.trusted.contains(address.ip()) {
            break;
        }
    }
    forwarded
}

/// What proxies did before RFC 7239, and still do.
fn de_facto(peer: &mut Peer, headers: &HeaderMap, proxies: &ProxyOptions) -> Forwarded {
    for element in elements(headers, &X_FORWARDED_FOR, false) {
        let Some(address) = std::str::from_utf8(element).ok().and_then(node_address) else { break };
        peer.client = Some(address);
        if !proxies.trusted.contains(address.ip()) {
            break;
        }
    }
    let last = |name| {
        let element = elements(headers, name, false).next()?;
        std::str::from_utf8(element).ok().map(str::to_owned)
    };
    Forwarded {
        https: last(&X_FORWARDED_PROTO).and_then(|proto| is_https(&proto)),
        host: last(&X_FORWARDED_HOST),
    }
}

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The elements of a list, over all field lines of that name, the last one first; without empty ones and spaces around (RFC
/// 9110 section 5.6.1).
fn elements<'a>(
    headers: &'a HeaderMap,
    name: &'a HeaderName,
    has_quotes: bool,
) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).iter().rev().map(HeaderValue::as_bytes);
    let all = lines.flat_map(move |line| FromRight { rest: Some(line), has_quotes });
    all.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The elements of one field line from the right. From there, because what a proxy has added is to be found whatever a
/// client has sent before it, such as a quote without its end.
struct FromRight<'a> {
    rest: Option<&'a [u8]>,
    has_quotes: bool,
}

impl<'a> Iterator for FromRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let mut in_quotes = false;
        for (at, byte) in rest.iter().enumerate().rev() {
            match byte {
                b'"' if self.has_quotes && !is_escaped(rest, at) => in_quotes = !in_quotes,
                b',' if !in_quotes => {
                    let (left, right) = rest.split_at(at);
                    self.rest = Some(left);
                    return right.get(1..);
                }
                _ => {}
            }
        }
        Some(rest)
    }
}

/// Whether an odd number of backslashes stands before this byte (RFC 9110 section 5.6.4).
fn is_escaped(line: &[u8], at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The value of a parameter of an element (RFC 7239 section 4), unquoted; `None` if it is not there once, or the element
/// is malformed.
fn parameter(element: &[u8], name: &str) -> Option<String> {
    let mut rest = std::str::from_utf8(element).ok()?;
    let mut found = None;
    while !rest.is_empty() {
        let (this, value) = rest.split_once('=')?;
        let (value, behind) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                let (value, behind) = value.split_at(end);
                (value.to_owned(), behind)
            }
        };
        // RFC 7239 §4: names are compared without regard to case, and each occurs once.
        if this.trim_ascii().eq_ignore_ascii_case(name) && found.replace(value).is_some() {
            return None;
        }
        rest = match behind.trim_ascii_start().strip_prefix(';') {
            Some(next) => next,
            None if behind.trim_ascii().is_empty() => "",
            None => return None,
        };
    }
    found
}

/// What a quoted string holds (RFC 9110 section 5.6.4), and what follows it.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at.saturating_add(1)..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// `192.0.2.1`, `192.0.2.1:8080`, `[2001:db8::1]:8080` and `2001:db8::1` (RFC 7239 section 6, and what is written in
/// `X-Forwarded-For`); a port that is not written is 0. `None` for `unknown` and for names.
fn node_address(node: &str) -> Option<SocketAddr> {
    if let Ok(address) = node.parse::<SocketAddr>() {
        return Some(address);
    }
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    bare.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0))
}

/// Whether a scheme is that of an encrypted connection; `None` for one that is neither.
fn is_https(scheme: &str) -> Option<bool> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("https") || is("wss") {
        Some(true)
    } else if is("http") || is("ws") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
