//! What a WebSocket runs on: the network itself, or a stream of an HTTP/2 connection over it.

use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::{client, server};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use ws_tokio::http2::{Http2Stream, Inboxes, Paced};

use super::network::Stream;

/// The stream under a WebSocket.
pub enum Transport {
    Direct(Stream),
    Http2(Box<Http2Stream>),
}

/// One end of an HTTP/2 connection, which is to be driven.
pub enum Driver {
    /// With a handle, as a pool has one: the connection outlives its WebSocket. A socket that is closed at once, with something
    /// unread, takes what the peer has not read with it.
    Client(
        client::Connection<Paced<Stream>, Bytes>,
        Inboxes,
        #[expect(dead_code, reason = "held")] client::SendRequest<Bytes>,
    ),
    Server(server::Connection<Paced<Stream>, Bytes>, Inboxes),
}

/// Opens a stream on an HTTP/2 connection between the two ends. The window of the streams of both is `window`.
pub async fn over_http2([near, far]: [Stream; 2], window: u32) -> [(Transport, Driver); 2] {
    let client = async {
        let inboxes = Inboxes::new();
        let mut builder = client::Builder::new();
        builder.initial_window_size(window).data_frame_budget(usize::MAX);
        let (mut requests, connection) = builder.handshake(inboxes.pace(near)).await.unwrap();
        let request = http::Request::post("http://localhost/").body(()).unwrap();
        let (answer, send) = requests.send_request(request, false).unwrap();
        let mut driver = Driver::Client(connection, inboxes, requests);
        let mut answer = pin!(answer);
        let recv = poll_fn(|cx| {
            let _ = driver.poll(cx);
            answer.as_mut().poll(cx)
        });
        let recv = recv.await.unwrap().into_body();
        let opener = driver.inboxes().opener();
        (Transport::Http2(Box::new(opener.open(send, recv))), driver)
    };
    let server = async {
        let inboxes = Inboxes::new();
        let mut builder = server::Builder::new();
        builder.initial_window_size(window).data_frame_budget(usize::MAX);
        let mut connection = builder.handshake(inboxes.pace(far)).await.unwrap();
        let mut inboxes = inboxes;
        let accepted = poll_fn(|cx| {
            let accepted = connection.poll_accept(cx);
            inboxes.poll_fill(cx);
            accepted
        });
        let (request, mut answer) = accepted.await.unwrap().unwrap();
        let receiving = inboxes.opener().receive(request.into_body());
        let send = answer.send_response(http::Response::new(()), false).unwrap();
        let stream = Transport::Http2(Box::new(receiving.stream(send)));
        // The answer is written by the driver, which the client waits for: it goes on below.
        (stream, Driver::Server(connection, inboxes))
    };
    let mut server = pin!(server);
    let mut client = pin!(client);
    let (mut far, mut near) = (None, None);
    poll_fn(|cx| {
        if far.is_none()
            && let Poll::Ready(opened) = server.as_mut().poll(cx)
        {
            far = Some(opened);
        }
        if let Some((_, driver)) = &mut far {
            let _ = driver.poll(cx);
        }
        if near.is_none()
            && let Poll::Ready(opened) = client.as_mut().poll(cx)
        {
            near = Some(opened);
        }
        if far.is_some() && near.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    [near.unwrap(), far.unwrap()]
}

impl Driver {
    /// Drives the connection to its end, or until the time of a simulation is nearly over.
    pub async fn run(mut self) {
        let _ = timeout(Duration::from_secs(500), poll_fn(|cx| self.poll(cx))).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Client(connection, inboxes, _) => {
                let polled = Pin::new(connection).poll(cx);
                inboxes.poll_fill(cx);
                polled.map(drop)
            }
            Self::Server(connection, inboxes) => {
                let polled = connection.poll_accept(cx);
                inboxes.poll_fill(cx);
                polled.map(drop)
            }
        }
    }

    const fn inboxes(&self) -> &Inboxes {
        match self {
            Self::Client(_, inboxes, _) | Self::Server(_, inboxes) => inboxes,
        }
    }
}

macro_rules! delegate {
    ($this:expr, $stream:ident => $call:expr) => {
        match $this.get_mut() {
            Transport::Direct($stream) => $call,
            Transport::Http2($stream) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
