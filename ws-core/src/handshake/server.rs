//! The server's side of the opening handshake: RFC 6455 section 4.2.

use std::mem;

use http::header::{self, HeaderName};
use http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::accept_key;
use super::extension::Extension;
use super::head::{Cursor, FieldEvent, FieldScanner, HeadLimits, append};
use super::host::{Authority, effective_host};
use super::key::is_key;
use super::opening::Opening;
use super::refusal::{Refusal, ResponseError, check_not_owned, write_field};
use super::request_line::RequestLineScanner;
use super::subprotocol::parse_subprotocols;
use super::token::is_token;
use super::{VERSION, values};

/// Reads the head of one request, strictly, as its bytes arrive.
#[derive(Debug)]
pub struct RequestReader {
    limits: HeadLimits,
    cursor: Cursor,
    state: State,
}

#[derive(Debug)]
enum State {
    Line(RequestLineScanner),
    Fields(FieldScanner, http::Request<()>),
    Refused(Refusal),
    Done,
}

impl RequestReader {
    /// A reader at the first byte of a connection.
    pub fn new(limits: HeadLimits) -> Self {
        let state = State::Line(RequestLineScanner::new(limits));
        Self { limits, cursor: Cursor::new(0, limits.bytes), state }
    }

    /// Looks at what is new in `buffer`, which holds *all* bytes received so far.
    ///
    /// `Ok(None)`: more is needed; the buffer then holds fewer than [`HeadLimits::bytes`] bytes.
    /// `Ok(Some((opening, length)))`: the head is whole and `length` bytes long; after a 101, what follows it in
    /// `buffer` are the first bytes of frames. After that the reader is used up and says `Ok(None)`.
    ///
    /// # Errors
    /// A [`Refusal`] to send before closing; asked again, the same one. Faults of the request line and of the fields'
    /// form are found at the byte that proves them, those of a field's value at the end of its line. What only
    /// matters for a WebSocket (`Sec-WebSocket-*`) is judged at the end of the head: before it nobody knows whether
    /// the request is for one.
    pub fn receive(&mut self, buffer: &[u8]) -> Result<Option<(Opening, usize)>, Refusal> {
        let result = self.advance(buffer);
        if let Err(refusal) = &result {
            self.state = State::Refused(refusal.clone());
        }
        result
    }

    fn advance(&mut self, buffer: &[u8]) -> Result<Option<(Opening, usize)>, Refusal> {
        if let State::Line(scanner) = &mut self.state {
            let line = scanner.next(&mut self.cursor, buffer);
            let Some((method, target, version)) =
                line.map_err(|refusal| refusal.without_body(scanner.is_head()))?
            else {
                return Ok(None);
            };
            let mut request = http::Request::new(());
            *request.method_mut() = method;
            *request.uri_mut() = target;
            *request.version_mut() = version;
            self.state = State::Fields(FieldScanner::new(self.limits.fields), request);
        }
        match &mut self.state {
            State::Fields(scanner, request) => {
                let whole = scan_fields(scanner, request, &mut self.cursor, buffer);
                if !whole.map_err(|refusal| refusal.without_body(request.method() == Method::HEAD))? {
                    return Ok(None);
                }
            }
            State::Refused(refusal) => return Err(refusal.clone()),
            State::Line(_) | State::Done => return Ok(None),
        }
        match mem::replace(&mut self.state, State::Done) {
            State::Fields(_, request) => Ok(Some((Opening::new(request)?, self.cursor.position()))),
            _ => Ok(None),
        }
    }
}

/// Takes field lines into the request; true once the head is whole.
fn scan_fields(
    scanner: &mut FieldScanner,
    request: &mut http::Request<()>,
    cursor: &mut Cursor,
    buffer: &[u8],
) -> Result<bool, Refusal> {
    while let Some(event) = scanner.next(cursor, buffer)? {
        match event {
            FieldEvent::Name(name) => check_name(name, |field| request.headers().contains_key(field))?,
            FieldEvent::Line { name, value } => {
                check_value(name, value)?;
                append(request.headers_mut(), name, value)?;
            }
            FieldEvent::End => {
                return check_host(request).map(|()| true);
            }
        }
    }
    Ok(false)
}

/// That there is a Host field where there has to be one.
pub(super) fn check_host(request: &http::Request<()>) -> Result<(), Refusal> {
    // RFC 9112 §3.2: an HTTP/1.1 request without Host MUST get 400; in HTTP/1.0 there need not be one.
    if request.version() == Version::HTTP_10 || request.headers().contains_key(header::HOST) {
        Ok(())
    } else {
        Err(bad_request("there is no Host field"))
    }
}

/// What a field's mere presence proves; `came_before` tells of other lines.
pub(super) fn check_name(name: &[u8], came_before: impl Fn(&HeaderName) -> bool) -> Result<(), Refusal> {
    let repeats = |field: &HeaderName| is_name(name, field) && came_before(field);
    // RFC 9112 §3.2: more than one Host field MUST get 400.
    if repeats(&header::HOST) {
        return Err(bad_request("there is more than one Host field"));
    }
    // RFC 9112 §6.1: what delimits the message differently for a proxy and for us is how requests are smuggled; a
    // handshake has no body.
    if is_name(name, &header::TRANSFER_ENCODING) {
        return Err(bad_request("a request with a body (Transfer-Encoding) is not answered here"));
    }
    // RFC 9112 §6.3: likewise.
    if repeats(&header::CONTENT_LENGTH) {
        return Err(bad_request("there is more than one Content-Length field"));
    }
    Ok(())
}

/// What a field's value proves, at the end of its line.
pub(super) fn check_value(name: &[u8], value: &[u8]) -> Result<(), Refusal> {
    // RFC 9112 §3.2: an invalid Host MUST get 400.
    if is_name(name, &header::HOST) && std::str::from_utf8(value).ok().and_then(Authority::parse).is_none() {
        return Err(bad_request("the Host field is not a host with an optional port"));
    }
    // RFC 9110 §8.6: Content-Length = 1*DIGIT; and a handshake has no body.
    if is_name(name, &header::CONTENT_LENGTH) && (value.is_empty() || value.iter().any(|&byte| byte != b'0'))
    {
        return Err(bad_request("a request with a body (Content-Length other than 0) is not answered here"));
    }
    Ok(())
}

fn is_name(name: &[u8], field: &HeaderName) -> bool {
    name.eq_ignore_ascii_case(field.as_str().as_bytes())
}

fn bad_request(reason: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, reason)
}

/// A client's request for a WebSocket.
#[derive(Debug)]
pub struct UpgradeRequest {
    request: http::Request<()>,
    accept: String,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

/// What a server agrees to.
#[derive(Debug, Clone, Default)]
pub struct Acceptance<'a> {
    /// One of [`UpgradeRequest::subprotocols`].
    pub subprotocol: Option<&'a str>,
    /// The value of `Sec-WebSocket-Extensions`, each of the extensions one that was offered.
    pub extensions: Option<String>,
    /// Further fields, such as `Set-Cookie`.
    pub headers: HeaderMap,
}

impl UpgradeRequest {
    /// Judges what only matters for a WebSocket.
    pub(super) fn new(request: http::Request<()>) -> Result<Self, Refusal> {
        let headers = request.headers();
        // §4.4: another version gets 426 with the one that is spoken; it is looked at first, because another
        // version may have other fields.
        if single(headers, header::SEC_WEBSOCKET_VERSION)? != VERSION.as_bytes() {
            return Err(Refusal::new(
                StatusCode::UPGRADE_REQUIRED,
                "only version 13 of WebSocket is spoken here",
            ));
        }
        // §4.2.1 item 5: a key which, decoded, is 16 bytes long.
        let key = single(headers, header::SEC_WEBSOCKET_KEY)?;
        if !is_key(key) {
            return Err(bad_request("Sec-WebSocket-Key is not 16 bytes in Base64"));
        }
        let subprotocols =
            parse_subprotocols(values(headers, &header::SEC_WEBSOCKET_PROTOCOL)).map_err(bad_request)?;
        let extensions = Extension::parse_list(values(headers, &header::SEC_WEBSOCKET_EXTENSIONS))
            .map_err(|error| bad_request(&error.to_string()))?;
        Ok(Self { accept: accept_key(key), subprotocols, extensions, request })
    }

    /// The request: its target (`request().uri().path()`, `.query()`) and its fields.
    pub fn request(&self) -> &http::Request<()> {
        &self.request
    }

    /// The request's target.
    pub fn uri(&self) -> &Uri {
        self.request.uri()
    }

    /// The host, with the port if one was given, that the request is addressed to.
    pub fn host(&self) -> &str {
        effective_host(&self.request).unwrap_or_default()
    }

    /// The subprotocols offered, in the client's order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The first of `supported`, in the server's order of preference, that the client offered.
    pub fn select_subprotocol<'a>(&self, supported: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        supported.into_iter().find(|name| self.subprotocols.iter().any(|offered| offered == name))
    }

    /// The extensions offered, in the client's order of preference; parameters are still to be judged.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The bytes of the 101 that opens the connection (RFC 6455 section 4.2.2).
    ///
    /// # Errors
    /// [`ResponseError`]: a subprotocol or extension that was not offered or is no token, a field among the headers
    /// that is not the caller's to set.
    pub fn accept(&self, acceptance: Acceptance<'_>) -> Result<Vec<u8>, ResponseError> {
        let mut head = Vec::with_capacity(USUAL_ANSWER);
        head.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        for (_, name, value) in self.fields(&acceptance)? {
            write_field(&mut head, name, value.as_bytes());
        }
        for (name, value) in &acceptance.headers {
            write_field(&mut head, name.as_str(), value.as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }

    /// The fields that are the handshake's own, checked; each with the name as RFC 6455 spells it.
    pub(super) fn fields<'a>(
        &'a self,
        acceptance: &'a Acceptance<'_>,
    ) -> Result<Vec<(HeaderName, &'static str, &'a str)>, ResponseError> {
        check_not_owned(&acceptance.headers)?;
        let mut fields = vec![
            (header::UPGRADE, "Upgrade", "websocket"),
            (header::CONNECTION, "Connection", "Upgrade"),
            (header::SEC_WEBSOCKET_ACCEPT, "Sec-WebSocket-Accept", self.accept.as_str()),
        ];
        if let Some(subprotocol) = acceptance.subprotocol {
            self.check_subprotocol(subprotocol)?;
            fields.push((header::SEC_WEBSOCKET_PROTOCOL, "Sec-WebSocket-Protocol", subprotocol));
        }
        if let Some(extensions) = &acceptance.extensions {
            self.check_extensions(extensions)?;
            fields.push((header::SEC_WEBSOCKET_EXTENSIONS, "Sec-WebSocket-Extensions", extensions));
        }
        Ok(fields)
    }

    /// Takes the request out, to keep it without a copy. What is left can still be accepted, but has neither fields nor
    /// a host.
    pub fn take_request(&mut self) -> http::Request<()> {
        mem::take(&mut self.request)
    }

    /// The request alone.
    pub fn into_request(self) -> http::Request<()> {
        self.request
    }

    fn check_subprotocol(&self, subprotocol: &str) -> Result<(), ResponseError> {
        if !is_token(subprotocol.as_bytes()) {
            return Err(ResponseError::InvalidSubprotocol(subprotocol.into()));
        }
        // §4.2.2 step 5: the value is one of those the client sent.
        if !self.subprotocols.iter().any(|offered| offered == subprotocol) {
            return Err(ResponseError::SubprotocolNotOffered(subprotocol.into()));
        }
        Ok(())
    }

    fn check_extensions(&self, extensions: &str) -> Result<(), ResponseError> {
        let invalid = || ResponseError::InvalidExtensions(extensions.into());
        let chosen = Extension::parse_list([extensions.as_bytes()]).map_err(|_| invalid())?;
        // RFC 6455 §9.1: extension-list = 1#extension; RFC 9110 §5.6.1.1: a sender does not write an empty list.
        if chosen.is_empty() {
            return Err(invalid());
        }
        for (index, extension) in chosen.iter().enumerate() {
            // §9.1: an extension that was not requested MUST NOT be used.
            if !self.extensions.iter().any(|offered| offered.name == extension.name) {
                return Err(ResponseError::ExtensionNotOffered(extension.name.clone()));
            }
            if chosen.iter().take(index).any(|earlier| earlier.name == extension.name) {
                return Err(invalid());
            }
        }
        Ok(())
    }
}

/// The value of a field that must be there once.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<&[u8], Refusal> {
    let mut lines = values(headers, &name);
    // §11.3.1 and §11.3.5: these fields MUST NOT appear more than once in a request.
    match (lines.next(), lines.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(bad_request(&format!("there is no {name} field"))),
        (Some(_), Some(_)) => Err(bad_request(&format!("there is more than one {name} field"))),
    }
}

/// Bytes of a 101 with a subprotocol and an extension.
const USUAL_ANSWER: usize = 256;
