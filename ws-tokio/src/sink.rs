//! [`Stream`] and [`Sink`], for programs that use them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{CloseCode, Message};

use crate::error::Error;
use crate::halves::{Half, poll_half};
use crate::websocket::WebSocket;

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    /// As [`WebSocket::recv`]; an error is the last item.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.driver.is_done() {
            return Poll::Ready(None);
        }
        let Self { driver, halves } = &mut *self;
        poll_half(halves, Half::Stream, cx, |cx| driver.poll_recv(cx)).map(Result::transpose)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { driver, halves } = &mut *self;
        poll_half(halves, Half::Sink, cx, |cx| driver.poll_ready_in_turn(cx))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.driver.queue(|connection| connection.send(message))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { driver, halves } = &mut *self;
        poll_half(halves, Half::Sink, cx, |cx| driver.poll_flush(cx))
    }

    /// Closes with 1000, as [`WebSocket::close`] does.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Closing already is what is wanted; 1000 with no reason is always allowed.
        let _ = self.driver.connection.close(CloseCode::NORMAL_CLOSURE, "");
        let Self { driver, halves } = &mut *self;
        let _ = ready!(poll_half(halves, Half::Sink, cx, |cx| driver.poll_close(cx)));
        Poll::Ready(Ok(()))
    }
}
