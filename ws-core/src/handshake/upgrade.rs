//! A client's request for a WebSocket, and the answer: RFC 6455 section 4.2.

use std::mem;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};

use super::extension::Extension;
use super::proof::Proof;
use super::refusal::{Refusal, ResponseError, check_not_owned, write_field};
use super::request_head::RequestHead;
use super::subprotocol::parse_subprotocols;
use super::token::is_token;

/// A client's request for a WebSocket, over any version of HTTP.
#[derive(Debug)]
pub struct UpgradeRequest {
    head: RequestHead,
    proof: Proof,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

/// What a server agrees to; by default to neither a subprotocol nor an extension.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Acceptance<'a> {
    /// One of [`UpgradeRequest::subprotocols`].
    pub subprotocol: Option<&'a str>,
    /// The value of `Sec-WebSocket-Extensions`, each of the extensions one that was offered.
    pub extensions: Option<String>,
    /// Further fields, such as `Set-Cookie`.
    pub headers: HeaderMap,
}

impl<'a> Acceptance<'a> {
    /// Agrees to this subprotocol, if any.
    #[must_use]
    pub fn subprotocol(mut self, subprotocol: impl Into<Option<&'a str>>) -> Self {
        self.subprotocol = subprotocol.into();
        self
    }

    /// Agrees to these extensions, if any: the value of `Sec-WebSocket-Extensions`.
    #[must_use]
    pub fn extensions(mut self, extensions: impl Into<Option<String>>) -> Self {
        self.extensions = extensions.into();
        self
    }

    /// Sets the further fields of the response.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }
}

impl UpgradeRequest {
    /// Judges what only matters for a WebSocket, whatever the version of HTTP; `proof` is how the answer shows that the
    /// request was understood.
    pub(super) fn new(head: RequestHead, proof: Proof) -> Result<Self, Refusal> {
        let subprotocols =
            parse_subprotocols(head.values(&header::SEC_WEBSOCKET_PROTOCOL)).map_err(Refusal::bad_request)?;
        let extensions = Extension::parse_list(head.values(&header::SEC_WEBSOCKET_EXTENSIONS))
            .map_err(|error| Refusal::bad_request(&error.to_string()))?;
        Ok(Self { head, proof, subprotocols, extensions })
    }

    /// Returns the request: its target (`request().uri().path()`, `.query()`) and its fields.
    pub fn request(&self) -> &RequestHead {
        &self.head
    }

    /// Returns the request's target.
    pub fn uri(&self) -> &Uri {
        self.head.uri()
    }

    /// Returns the host, with the port if one was given, that the request is addressed to.
    pub fn host(&self) -> &str {
        self.head.host().unwrap_or_default()
    }

    /// Returns the subprotocols offered, in the client's order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    #[doc(alias("protocols", "process_protocols"))]
    /// Returns the first of `supported`, in the server's order of preference, that the client offered.
    pub fn select_subprotocol<'a>(&self, supported: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        supported.into_iter().find(|name| self.subprotocols.iter().any(|offered| offered == name))
    }

    /// Returns the extensions offered, in the client's order of preference; parameters are still to be judged.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Returns the bytes of the 101 that opens the connection (RFC 6455 section 4.2.2).
    ///
    /// # Errors
    /// [`ResponseError`]: a subprotocol or extension that was not offered or is no token, a field among the headers
    /// that is not the caller's to set, and [`ResponseError::NotHttp1`] for a request of HTTP/2 or HTTP/3, whose answer
    /// [`response`](Self::response) returns.
    pub fn accept(&self, acceptance: Acceptance<'_>) -> Result<Vec<u8>, ResponseError> {
        if matches!(self.proof, Proof::Connect) {
            return Err(ResponseError::NotHttp1);
        }
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

    /// Returns the answer that opens the WebSocket for another HTTP library to write: over HTTP/1.1 the 101 that
    /// [`accept`](Self::accept) returns as bytes; over HTTP/2 and HTTP/3 a 200 whose body does not end, on which the
    /// WebSocket runs (RFC 8441 section 5).
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn response(&self, acceptance: Acceptance<'_>) -> Result<http::Response<()>, ResponseError> {
        let mut response = http::Response::new(());
        *response.status_mut() = self.proof.status();
        for (name, _, value) in self.fields(&acceptance)? {
            // They have been found to be tokens and lists of tokens.
            let invalid = |_| ResponseError::InvalidExtensions(value.into());
            response.headers_mut().insert(name, HeaderValue::from_str(value).map_err(invalid)?);
        }
        response.headers_mut().extend(acceptance.headers);
        Ok(response)
    }

    /// The fields that are the handshake's own, checked; each with the name as RFC 6455 spells it.
    fn fields<'a>(
        &'a self,
        acceptance: &'a Acceptance<'_>,
    ) -> Result<Vec<(HeaderName, &'static str, &'a str)>, ResponseError> {
        check_not_owned(&acceptance.headers)?;
        let mut fields = self.proof.fields();
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
    pub fn take_request(&mut self) -> RequestHead {
        mem::take(&mut self.head)
    }

    /// Returns the request alone.
    pub fn into_request(self) -> http::Request<()> {
        self.head.into_request()
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

/// Bytes of a 101 with a subprotocol and an extension.
const USUAL_ANSWER: usize = 256;
