//! Cases for WebSockets over HTTP/2 (RFC 8441), in which the suite writes every frame of the connection. They have the
//! acts and events of the other cases beyond Autobahn, on one stream of the connection: FIN is END_STREAM.

mod building;
pub(crate) mod cases;
#[cfg(test)]
mod faulty;
pub(crate) mod head;
mod line;
mod moved;
mod play;

use crate::native::http2::frames::Frame;

pub(crate) use head::Fields;
pub(super) use moved::on_a_stream;
pub(super) use play::connection;
pub(crate) use play::on_client;

/// An action on an HTTP/2 connection.
#[derive(Clone, Debug)]
pub(crate) enum Move {
    /// Sends what begins a connection, with these SETTINGS, and waits for the peer's first SETTINGS.
    Begin(Vec<(u16, u32)>),
    /// Sends a head: a request on a new stream, or an answer on the stream of the client's request.
    Head(Fields),
    /// Waits for a client's request.
    Asked,
    /// Sends a frame; its stream is an offset from the observed stream unless it is 0.
    Raw(Frame),
    /// Sends trailers or a second head on the observed stream.
    Trailers(Fields),
    /// Sends bytes in one DATA frame with this much padding.
    Padded(Vec<u8>, u8),
    /// Sends DATA without content this many times.
    Empty(usize),
    /// From now on the suite opens no window of the connection (0) or of the observed stream (1).
    Hold(u32),
    /// Opens the window of the connection (0) or of the observed stream (1) by this many bytes.
    Grant(u32, u32),
    /// Opens this many other streams on the same connection; each must echo a message.
    Beside(usize),
    /// Sends this many further requests on the same connection, which the server may refuse.
    Crowd(usize),
    /// Waits until the observed stream or the connection has ended.
    Over,
}

/// The observed stream in [`Move::Raw`].
pub(crate) const THIS: u32 = 1;
