//! A server whose streams are ours, and a client that is `h2` alone.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream, client, server};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use ws_tokio::http2::{Http2Stream, Inboxes};

pub(crate) struct Pair {
    pub(crate) client: SendRequest<Bytes>,
    accepted: mpsc::UnboundedReceiver<Http2Stream>,
    pub(crate) server_task: JoinHandle<()>,
    pub(crate) client_task: JoinHandle<Result<(), h2::Error>>,
    /// How often the task of the server's connection has been polled.
    pub(crate) turns: Arc<AtomicUsize>,
    /// The client's connection does nothing from the moment at which this is set.
    pub(crate) frozen: Arc<AtomicBool>,
}

/// The peer's end of a stream.
pub(crate) struct Peer {
    pub(crate) send: SendStream<Bytes>,
    pub(crate) recv: RecvStream,
}

/// Windows of the client: of a stream, and of the connection.
pub(crate) async fn pair_with(stream: u32, connection: u32) -> Pair {
    let (near, far) = duplex(1 << 20);
    let mut builder = client::Builder::new();
    builder.initial_window_size(stream).initial_connection_window_size(connection);
    connect(near, far, &builder).await
}

pub(crate) async fn pair() -> Pair {
    pair_with(65_535, 65_535).await
}

pub(crate) async fn connect<S>(near: S, far: DuplexStream, builder: &client::Builder) -> Pair
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (streams, accepted) = mpsc::unbounded_channel();
    let (turns, frozen) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let server_task = tokio::spawn(serve(far, streams, turns.clone()));
    let (client, mut connection) = builder.handshake(near).await.unwrap();
    let is_frozen = frozen.clone();
    let client_task = tokio::spawn(poll_fn(move |cx| {
        if is_frozen.load(SeqCst) { Poll::Pending } else { Pin::new(&mut connection).poll(cx) }
    }));
    Pair { client, accepted, server_task, client_task, turns, frozen }
}

/// As ws-server and ws-client drive a connection.
async fn serve(io: DuplexStream, streams: mpsc::UnboundedSender<Http2Stream>, turns: Arc<AtomicUsize>) {
    let mut inboxes = Inboxes::new();
    let opener = inboxes.opener();
    let builder = server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .data_frame_budget(BUDGET)
        .handshake(inboxes.pace(io));
    let mut connection = builder.await.unwrap();
    poll_fn(|cx| {
        turns.fetch_add(1, SeqCst);
        loop {
            let accepted = connection.poll_accept(cx);
            inboxes.poll_fill(cx);
            match accepted {
                Poll::Ready(Some(Ok((request, mut answer)))) => {
                    let send = answer.send_response(http::Response::new(()), false).unwrap();
                    let _ = streams.send(opener.open(send, request.into_body()));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    drop(connection);
}

/// For `h2` to end the connection when it holds more small frames than can arrive in two turns of 64 KiB: each is ten bytes
/// at least, and is charged 255.
const BUDGET: usize = (2 << 16) / 10 * 255;

/// The window of the server's streams; its connection has four times that.
pub(crate) const WINDOW: u32 = 1 << 16;

impl Pair {
    pub(crate) async fn stream(&mut self) -> (Http2Stream, Peer) {
        let request = http::Request::post("http://h/").body(()).unwrap();
        let mut client = self.client.clone().ready().await.unwrap();
        let (answer, send) = client.send_request(request, false).unwrap();
        let recv = soon(answer).await.unwrap().into_body();
        (soon(self.accepted.recv()).await.unwrap(), Peer { send, recv })
    }
}

impl Peer {
    /// Sends all of this, as the window allows it.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.send.reserve_capacity(rest.len().min(16 << 10));
            while self.send.capacity() == 0 {
                soon(poll_fn(|cx| self.send.poll_capacity(cx))).await.unwrap().unwrap();
            }
            let (now, later) = rest.split_at(self.send.capacity().min(rest.len()));
            self.send.send_data(Bytes::copy_from_slice(now), false).unwrap();
            rest = later;
        }
    }

    /// The next DATA that is not empty; `None` at the end.
    pub(crate) async fn data(&mut self) -> Option<Bytes> {
        loop {
            let data = soon(self.recv.data()).await?.unwrap();
            self.recv.flow_control().release_capacity(data.len()).unwrap();
            if !data.is_empty() {
                return Some(data);
            }
        }
    }

    /// This many bytes.
    pub(crate) async fn read(&mut self, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            all.extend_from_slice(&self.data().await.expect("it ended"));
        }
        all
    }
}

/// Fails the test rather than letting it hang.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("it takes too long")
}

/// Lets the other tasks run until they wait.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
