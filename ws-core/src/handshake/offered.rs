//! What a client offers, and the judgement of what the server chose of it: the same over every version of HTTP.

use http::header;

use super::extension::Extension;
use super::refused::HandshakeError;
use super::request::{RequestError, offered_extensions};
use super::token::{list_elements, values};

/// What the server agreed to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Established {
    /// The head of the server's response: a 101, or over HTTP/2 a 2xx.
    pub response: http::Response<()>,
    /// The subprotocol that the server chose, one of those offered.
    pub subprotocol: Option<String>,
    /// The extensions that the server chose, each offered by name and none twice; their parameters are still to be judged.
    pub extensions: Vec<Extension>,
}

/// The offers of one opening handshake.
#[derive(Debug)]
pub(super) struct Offered {
    subprotocols: Vec<String>,
    /// The names of the extensions.
    extensions: Vec<String>,
}

impl Offered {
    /// `extensions` is the value of `Sec-WebSocket-Extensions`.
    pub(super) fn new(subprotocols: &[String], extensions: Option<&str>) -> Result<Self, RequestError> {
        Ok(Self { subprotocols: subprotocols.to_vec(), extensions: offered_extensions(extensions)? })
    }

    /// Judges the subprotocol and the extensions in a response that opens a WebSocket.
    pub(super) fn establish(&self, response: http::Response<()>) -> Result<Established, HandshakeError> {
        let extensions = self.agreed_extensions(response.headers())?;
        let subprotocol = self.agreed_subprotocol(response.headers())?;
        Ok(Established { response, subprotocol, extensions })
    }

    fn agreed_extensions(&self, headers: &http::HeaderMap) -> Result<Vec<Extension>, HandshakeError> {
        let agreed = Extension::parse_list(values(headers, &header::SEC_WEBSOCKET_EXTENSIONS))?;
        for (index, extension) in agreed.iter().enumerate() {
            // RFC 6455 §4.1, the response, item 5: an extension that was not offered fails the connection.
            if !self.extensions.contains(&extension.name) {
                return Err(HandshakeError::UnofferedExtension(excerpt(extension.name.as_bytes())));
            }
            // §9.1: each is agreed to once. (The work is bounded by the offer: a repetition ends the loop.)
            if agreed.iter().take(index).any(|earlier| earlier.name == extension.name) {
                return Err(HandshakeError::RepeatedExtension(excerpt(extension.name.as_bytes())));
            }
        }
        Ok(agreed)
    }

    fn agreed_subprotocol(&self, headers: &http::HeaderMap) -> Result<Option<String>, HandshakeError> {
        // RFC 9110 §5.6.1.2: empty elements are ignored; with none left it is as if the field were absent.
        let mut chosen = list_elements(values(headers, &header::SEC_WEBSOCKET_PROTOCOL));
        let Some(subprotocol) = chosen.next() else { return Ok(None) };
        // RFC 6455 §4.2.2 step 5: it is a single value; §11.3.4: MUST NOT appear more than once in a response.
        if chosen.next().is_some() {
            return Err(HandshakeError::RepeatedSubprotocol);
        }
        // §4.1 item 6: a subprotocol that was not offered fails the connection.
        match self.subprotocols.iter().find(|offered| offered.as_bytes() == subprotocol) {
            Some(offered) => Ok(Some(offered.clone())),
            None => Err(HandshakeError::UnofferedSubprotocol(excerpt(subprotocol))),
        }
    }
}

/// What the peer sent, short enough for a line in a log.
fn excerpt(bytes: &[u8]) -> String {
    match bytes.split_at_checked(MAX_EXCERPT) {
        Some((start, rest)) if !rest.is_empty() => format!("{}...", String::from_utf8_lossy(start)),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The most of a peer's name that an error repeats, in bytes.
const MAX_EXCERPT: usize = 100;
