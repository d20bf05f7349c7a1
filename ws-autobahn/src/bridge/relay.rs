//! Passes bytes between a TCP connection and a stream of HTTP/2, with their ends.

use std::{
    future::poll_fn,
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

use crate::native::handshake::Head;

/// How one of the two ended other than with FIN and END_STREAM in both directions.
enum Broken {
    /// The TCP connection was reset.
    Tcp,
    /// The stream was reset before its END_STREAM.
    Stream,
    /// The stream was reset after its END_STREAM: the peer does not read any more.
    HalfClosed,
}

/// Passes bytes in both directions until both have ended, or one is reset; `first` was already received from TCP.
pub(super) async fn relay(
    mut tcp: TcpStream,
    first: Vec<u8>,
    mut send: SendStream<Bytes>,
    mut receive: RecvStream,
) {
    let (read, write) = tcp.split();
    let has_ended = AtomicBool::new(false);
    let ended = tokio::try_join!(
        to_stream(read, first, &mut send, &has_ended),
        to_tcp(&mut receive, write, &has_ended)
    );
    match ended {
        Ok(_) | Err(Broken::HalfClosed) => {}
        // RFC 8441 section 5: RST_STREAM with CANCEL is what a reset is for TCP.
        Err(Broken::Tcp) => send.send_reset(Reason::CANCEL),
        Err(Broken::Stream) => {
            // Closing sends RST in place of FIN.
            let _ = socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO));
        }
    }
}

async fn to_stream(
    mut read: ReadHalf<'_>,
    first: Vec<u8>,
    send: &mut SendStream<Bytes>,
    has_ended: &AtomicBool,
) -> Result<(), Broken> {
    let mut buffer = first;
    loop {
        if !buffer.is_empty() && !send_all(send, Bytes::from(buffer)).await {
            return reset(has_ended);
        }
        buffer = Vec::with_capacity(AT_ONCE);
        tokio::select! {
            read = read.read_buf(&mut buffer) => match read {
                // RFC 8441 section 5: END_STREAM is what FIN is for TCP.
                Ok(0) => return if send.send_data(Bytes::new(), true).is_ok() { Ok(()) } else { reset(has_ended) },
                Ok(_) => {}
                Err(_) => return Err(Broken::Tcp),
            },
            _ = poll_fn(|cx| send.poll_reset(cx)) => return reset(has_ended),
        }
    }
}

/// The stream was reset. Before its END_STREAM, what has arrived is passed on before the reset.
fn reset(has_ended: &AtomicBool) -> Result<(), Broken> {
    if has_ended.load(Relaxed) { Err(Broken::HalfClosed) } else { Ok(()) }
}

/// Sends bytes as the peer's window permits. Returns `false` when the stream was reset.
async fn send_all(send: &mut SendStream<Bytes>, mut bytes: Bytes) -> bool {
    while !bytes.is_empty() {
        send.reserve_capacity(bytes.len());
        let capacity = poll_fn(|cx| match send.capacity() {
            0 => send.poll_capacity(cx).map(|capacity| capacity.and_then(Result::ok)),
            capacity => Poll::Ready(Some(capacity)),
        });
        let Some(capacity) = capacity.await else { return false };
        if capacity > 0 && send.send_data(bytes.split_to(capacity.min(bytes.len())), false).is_err() {
            return false;
        }
    }
    true
}

async fn to_tcp(
    receive: &mut RecvStream,
    mut write: WriteHalf<'_>,
    has_ended: &AtomicBool,
) -> Result<(), Broken> {
    while let Some(data) = receive.data().await {
        let data = data.map_err(|_| Broken::Stream)?;
        write.write_all(&data).await.map_err(|_| Broken::Tcp)?;
        let _ = receive.flow_control().release_capacity(data.len());
    }
    has_ended.store(true, Relaxed);
    write.shutdown().await.map_err(|_| Broken::Tcp)
}

/// Reads the head of a request or a response, and what has arrived after it.
///
/// # Errors
/// The connection ends before, or the head is invalid.
pub(super) async fn read_head(tcp: &mut TcpStream) -> io::Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some((head, size)) = Head::split(&bytes).map_err(io::Error::other)? {
            return Ok((head, bytes.split_off(size)));
        }
        if tcp.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What is read from TCP and sent as DATA at once.
const AT_ONCE: usize = 16 << 10;
