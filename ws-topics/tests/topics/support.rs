//! A subscriber whose peer reads when it is asked to.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::task::{JoinHandle, unconstrained};
use ws_tokio::{CloseInfo, Config, Error, Message, Role, Sender, WebSocket};
use ws_topics::{Topics, TopicsOptions};

/// A stream that counts the writes to it.
pub struct Counted {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

/// A connection: the side that subscribes, and its client.
pub struct Peer {
    pub sender: Sender,
    pub client: WebSocket<DuplexStream>,
    pub receiving: JoinHandle<Result<Option<CloseInfo>, Error>>,
    writes: Arc<AtomicUsize>,
}

impl Peer {
    /// One that takes everything at once.
    pub fn fast() -> Self {
        Self::over(1 << 22)
    }

    /// One that has room for two messages of 500 bytes and no more, until its client reads.
    pub fn slow() -> Self {
        Self::over(10)
    }

    fn over(pipe: usize) -> Self {
        let (near, far) = duplex(pipe);
        let writes = Arc::new(AtomicUsize::new(0));
        let stream = Counted { stream: far, writes: Arc::clone(&writes) };
        let config = Config::server().send_high_water(990).keepalive(None);
        let (sender, receiver) = WebSocket::from_raw(stream, Role::Server, config).unwrap().split();
        let client = WebSocket::from_raw(near, Role::Client, Config::client()).unwrap();
        Self { sender, client, receiving: tokio::spawn(receiver.discard()), writes }
    }

    /// How often its transport was written to.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// Reads until nothing comes any more.
    pub async fn read(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(Ok(Some(message))) =
            tokio::time::timeout(Duration::from_secs(1), self.client.recv()).await
        {
            texts.push(message.as_text().unwrap().trim().to_owned());
        }
        texts
    }

    /// Reads a message, if one has arrived; no other task runs meanwhile.
    pub fn read_now(&mut self) -> Option<String> {
        let cx = &mut Context::from_waker(Waker::noop());
        match pin!(unconstrained(self.client.recv())).poll(cx) {
            Poll::Ready(message) => Some(message.unwrap().unwrap().as_text().unwrap().trim().to_owned()),
            Poll::Pending => None,
        }
    }

    /// Ends the connection, and waits until the server has noticed.
    pub async fn leave(self) {
        drop(self.client);
        let _ = self.receiving.await.unwrap();
    }
}

/// Text of 500 bytes, so that two of them fill a slow peer.
pub fn text(content: impl ToString) -> Message {
    Message::text(format!("{:<500}", content.to_string()))
}

/// Topics whose gap marks are short: `lost 3 of TOPIC (7-9)`.
pub fn topics(options: TopicsOptions) -> Topics {
    Topics::new(options.gap_mark(|gap| {
        let lost = gap.lost.map_or("?".into(), |lost| lost.to_string());
        let range = gap.range.map(|(first, last)| format!(" ({}-{})", first.offset, last.offset));
        Some(format!("lost {lost} of {}{}", gap.topic, range.unwrap_or_default()).into())
    }))
    .unwrap()
}

/// Whether all messages are accounted for.
pub fn check_counts(topics: &Topics) {
    let stats = topics.stats();
    assert_eq!(stats.offered, stats.delivered + stats.dropped + stats.ended + stats.waiting, "{stats:?}");
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
