//! What a WebSocket and its halves do alike.

use std::future::poll_fn;

use ws_core::{CloseCode, CloseInfo, Message, SendError};

use super::error::{Error, TrySendError};
use super::room::Room;
use super::socket::Socket;

pub(super) async fn send(socket: &Socket, message: &Message) -> Result<(), Error> {
    let mut room = Room::default();
    poll_fn(|cx| room.poll_ready(socket, cx)).await?;
    socket.send(message)
}

pub(super) fn try_send(socket: &Socket, message: Message) -> Result<(), TrySendError> {
    if socket.is_open() && socket.queued() >= socket.high_water() {
        return Err(TrySendError::Full(message));
    }
    socket.send(&message).map_err(|error| TrySendError::Refused(message, error))
}

pub(super) async fn close(socket: &Socket, code: CloseCode, reason: &str) -> Result<CloseInfo, Error> {
    match socket.start_close(code, reason) {
        // Closing already is what is wanted.
        Ok(()) | Err(Error::Closed(_) | Error::Send(SendError::Closing)) => {}
        Err(error) => return Err(error),
    }
    Ok(poll_fn(|cx| socket.poll_closed(cx)).await)
}
