//! The builder's methods for cases over HTTP/2.

use super::{Fields, Move, THIS, head::connect};
use crate::native::{
    http2::frames::{Frame, RST_STREAM, frame},
    probe::{Act, Building, client, server},
};

/// Begins a case for servers.
pub(super) fn http2_server(id: &str, rule: &'static str, what: impl Into<String>) -> Building {
    server(id, rule, what).over_http2()
}

/// Begins a case for clients.
pub(super) fn http2_client(id: &str, rule: &'static str, what: impl Into<String>) -> Building {
    client(id, rule, what).over_http2()
}

impl Building {
    fn action(self, action: Move) -> Self {
        self.act(Act::Http2(action))
    }

    /// Begins the connection with these SETTINGS and waits for the peer's.
    pub(super) fn begin(self, settings: &[(u16, u32)]) -> Self {
        self.action(Move::Begin(settings.to_vec()))
    }

    /// Sends a head without waiting for the answer.
    pub(super) fn fields(self, fields: Fields) -> Self {
        self.action(Move::Head(fields))
    }

    /// Begins the connection, sends a request and waits for the head of the answer; the case ends if the answer does
    /// not open the WebSocket.
    pub(super) fn request(self, fields: Fields) -> Self {
        self.begin(&[]).fields(fields).await_open()
    }

    /// Opens a WebSocket on a new connection.
    pub(super) fn opened(self) -> Self {
        self.request(connect())
    }

    /// Waits for the client's request.
    pub(super) fn asked(self) -> Self {
        self.action(Move::Asked)
    }

    /// Sends a frame; the streams from 1 are counted from the observed one.
    pub(super) fn raw(self, frame: Frame) -> Self {
        self.action(Move::Raw(frame))
    }

    /// Resets the observed stream with this code.
    pub(super) fn abort(self, code: u32) -> Self {
        self.raw(frame(RST_STREAM, 0, THIS, code.to_be_bytes()))
    }

    /// Sends trailers.
    pub(super) fn trailers(self, fields: Fields) -> Self {
        self.action(Move::Trailers(fields))
    }

    /// Sends bytes in one DATA frame with this much padding.
    pub(super) fn padded(self, bytes: Vec<u8>, padding: u8) -> Self {
        self.action(Move::Padded(bytes, padding))
    }

    /// Sends DATA without content this many times.
    pub(super) fn empty(self, count: usize) -> Self {
        self.action(Move::Empty(count))
    }

    /// Opens no window of the connection (0) or of the observed stream (1) from now on.
    pub(super) fn hold(self, which: u32) -> Self {
        self.action(Move::Hold(which))
    }

    /// Opens the window of the connection (0) or of the observed stream (1).
    pub(super) fn grant(self, which: u32, size: u32) -> Self {
        self.action(Move::Grant(which, size))
    }

    /// Opens this many other WebSockets on the same connection, which must be served.
    pub(super) fn beside(self, count: usize) -> Self {
        self.action(Move::Beside(count))
    }

    /// Sends this many further requests on the same connection.
    pub(super) fn crowd(self, count: usize) -> Self {
        self.action(Move::Crowd(count))
    }

    /// Waits until the observed stream has ended.
    pub(super) fn over(self) -> Self {
        self.action(Move::Over)
    }
}
