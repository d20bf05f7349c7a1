//! What the server agreed to, as far as a browser reports it.

use super::socket::Socket;
use super::websocket::WebSocket;

/// An open WebSocket, and what the server agreed to.
pub type Opened = (WebSocket, Negotiated);

/// What the server agreed to in the opening handshake. A browser does not show the header fields of the response.
#[derive(Debug, Clone)]
pub struct Negotiated {
    subprotocol: String,
    extensions: String,
}

impl Negotiated {
    pub(super) fn new(socket: &Socket) -> Self {
        Self { subprotocol: socket.subprotocol(), extensions: socket.extensions() }
    }

    /// Returns the subprotocol that the server chose, one of those the request offered; `None` if it chose none.
    #[doc(alias = "protocol")]
    pub fn subprotocol(&self) -> Option<&str> {
        Some(&*self.subprotocol).filter(|name| !name.is_empty())
    }

    /// Returns the extensions that the server agreed to, as text: permessage-deflate, if it allows that. Empty if there is none.
    pub fn extensions(&self) -> &str {
        &self.extensions
    }
}
