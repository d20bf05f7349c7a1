//! [`Stream`] and [`Sink`], for programs that use them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use ws_core::{CloseCode, Message};

use super::error::Error;
use super::websocket::WebSocket;

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    /// As [`WebSocket::recv`]; an error is the last item.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let next = ready!(self.socket.poll_recv(cx));
        self.is_done = !matches!(next, Ok(Some(_)));
        Poll::Ready(next.transpose())
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { socket, room, .. } = &mut *self;
        room.poll_ready(socket, cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.socket.send(&message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { socket, room, .. } = &mut *self;
        room.poll_flush(socket, cx)
    }

    /// Closes with 1000, as [`WebSocket::close`] does.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Closing already is what is wanted; 1000 with no reason is always allowed.
        let _ = self.socket.start_close(CloseCode::NORMAL_CLOSURE, "");
        self.socket.poll_closed(cx).map(|_| Ok(()))
    }
}
