//! The heads of opening handshakes, translated between HTTP/1.1 (RFC 6455 section 4) and HTTP/2 (RFC 8441 section 5).

use std::{fmt::Write as _, net::SocketAddr};

use h2::ext::Protocol;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version};

use crate::native::handshake::{Head, accept, new_key};

/// Returns the extended CONNECT for a request of HTTP/1.1, and the key of the request.
///
/// # Errors
/// The request is not one that opens a WebSocket.
pub(super) fn request_to_http2(head: &Head) -> Result<(Request<()>, String), String> {
    let words: Vec<&str> = head.first.split(' ').collect();
    let ["GET", target, "HTTP/1.1"] = words[..] else {
        return Err(format!("{:?} is not a GET of HTTP/1.1", head.first));
    };
    let (hosts, keys) = (head.values("host"), head.values("sec-websocket-key"));
    let ([host], [key]) = (&hosts[..], &keys[..]) else {
        return Err("the request needs one Host and one Sec-WebSocket-Key".to_owned());
    };
    if !head.has_token("upgrade", "websocket") {
        return Err("the request does not upgrade to websocket".to_owned());
    }
    // RFC 8441 section 5: `:scheme` is http for ws.
    let request = Request::builder().method(Method::CONNECT).uri(format!("http://{host}{target}"));
    let mut request =
        request.version(Version::HTTP_2).body(()).map_err(|e| format!("{host}{target}: {e}"))?;
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    *request.headers_mut() = fields(head)?;
    Ok((request, key.clone()))
}

/// Returns the request of HTTP/1.1 for an extended CONNECT, and its key. `Host` is the server that it goes to: Autobahn's suite
/// requires that it has the port on which it listens.
///
/// # Errors
/// The request is not one that opens a WebSocket.
pub(super) fn request_to_http1<B>(
    request: &Request<B>,
    server: SocketAddr,
) -> Result<(String, String), String> {
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    if request.method() != Method::CONNECT || protocol != Some("websocket") {
        return Err(format!("{} with :protocol {protocol:?} opens no WebSocket", request.method()));
    }
    let Some(target) = request.uri().path_and_query() else {
        return Err(format!("{} has no path", request.uri()));
    };
    let key = new_key();
    let mut text = format!("GET {target} HTTP/1.1\r\nHost: {server}\r\n");
    write_fields(&mut text, request.headers());
    let _ = write!(text, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\r\n");
    Ok((text, key))
}

/// Returns the response of HTTP/2 for one of HTTP/1.1 to a request with this key: 200 for 101, otherwise the same status.
///
/// # Errors
/// The response is invalid.
pub(super) fn response_to_http2(head: &Head, key: &str) -> Result<Response<()>, String> {
    let wrong = || format!("{:?} is no status line", head.first);
    let status: u16 = head.first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(wrong)?;
    if status == 101 && head.values("sec-websocket-accept") != [accept(key)] {
        return Err("Sec-WebSocket-Accept does not match the key".to_owned());
    }
    let status = if status == 101 { 200 } else { status };
    let mut response =
        Response::builder().status(status).version(Version::HTTP_2).body(()).map_err(|_| wrong())?;
    *response.headers_mut() = fields(head)?;
    Ok(response)
}

/// Returns the response of HTTP/1.1 for one of HTTP/2 to a request with this key: 101 for 2xx (RFC 8441 section 5), otherwise
/// the same status.
pub(super) fn response_to_http1<B>(response: &Response<B>, key: &str) -> String {
    let status = response.status();
    let mut text = if status.is_success() {
        "HTTP/1.1 101 Switching Protocols\r\n".to_owned()
    } else {
        format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default())
    };
    write_fields(&mut text, response.headers());
    let _ = if status.is_success() {
        let accept = accept(key);
        write!(text, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
    } else {
        write!(text, "Connection: close\r\n\r\n")
    };
    text
}

/// The fields that have the same meaning in both versions.
fn fields(head: &Head) -> Result<HeaderMap, String> {
    let mut fields = HeaderMap::new();
    for (name, value) in head.fields.iter().filter(|(name, _)| !OF_HTTP_1.contains(&name.as_str())) {
        let name: HeaderName = name.parse().map_err(|_| format!("the name of the field {name:?}"))?;
        let value: HeaderValue = value.parse().map_err(|_| format!("the value of the field {name:?}"))?;
        fields.append(name, value);
    }
    Ok(fields)
}

fn write_fields(text: &mut String, fields: &HeaderMap) {
    for (name, value) in fields {
        let _ = write!(text, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
    }
}

/// The fields that HTTP/2 does not have (RFC 9113 section 8.2.2), has as pseudo-fields, or does not need (RFC 8441 section 5).
const OF_HTTP_1: &[&str] = &[
    "connection",
    "host",
    "keep-alive",
    "proxy-connection",
    "sec-websocket-accept",
    "sec-websocket-key",
    "transfer-encoding",
    "upgrade",
];
