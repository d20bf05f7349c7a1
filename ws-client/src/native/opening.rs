//! The opening handshake on a stream: the I/O around `ws_core::handshake`.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use ws_core::handshake::{BodyProgress, ClientHandshake, Established, HandshakeError, HeadLimits, Refused};

use crate::chance;
use crate::error::ConnectError;

/// How the handshake on a stream failed.
pub(crate) enum Failure {
    /// The stream broke.
    Io(io::Error),
    /// The server refused, or broke a rule.
    Handshake(HandshakeError),
    /// The server answered in TLS.
    Tls,
}

/// Sends the request and reads the answer; also returns the bytes after it, the first ones of frames.
pub(crate) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut handshake: ClientHandshake,
    max_refusal_body: usize,
    deadline: Instant,
) -> Result<(Established, Vec<u8>), Failure> {
    stream.write_all(handshake.request_bytes()).await.map_err(Failure::Io)?;
    stream.flush().await.map_err(Failure::Io)?;
    let mut received = Vec::new();
    loop {
        match stream.read_buf(&mut received).await {
            Ok(0) => return Err(Failure::Handshake(handshake.end_of_stream(&received))),
            Ok(_) => {}
            Err(error) => return Err(Failure::Io(error)),
        }
        match handshake.receive(&received) {
            Ok(None) => {}
            Ok(Some((established, length))) => {
                received.drain(..length);
                return Ok((established, received));
            }
            Err(HandshakeError::Refused(mut refused)) => {
                read_body(stream, &mut refused, &received, max_refusal_body, deadline).await;
                return Err(Failure::Handshake(HandshakeError::Refused(refused)));
            }
            Err(_) if starts_with_tls(&received) => return Err(Failure::Tls),
            Err(error) => return Err(Failure::Handshake(error)),
        }
    }
}

/// Reads as much of a refusal's body as arrives in time: the status is returned without it, too.
pub(crate) async fn read_body<S: AsyncRead + Unpin>(
    stream: &mut S,
    refused: &mut Refused,
    received: &[u8],
    limit: usize,
    deadline: Instant,
) {
    let deadline = deadline.min(Instant::now() + BODY_PATIENCE);
    let mut reader = refused.body_reader(limit);
    let mut progress = reader.receive(received.get(refused.head_length..).unwrap_or_default());
    let mut end_of_stream = false;
    let mut chunk = Vec::with_capacity(4096);
    while progress == BodyProgress::Partial {
        chunk.clear();
        match timeout_at(deadline, stream.read_buf(&mut chunk)).await {
            Ok(Ok(0)) => {
                end_of_stream = true;
                break;
            }
            Ok(Ok(_)) => progress = reader.receive(&chunk),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    refused.attach(reader, end_of_stream);
}

/// A handshake for one request, with a fresh key (RFC 6455 section 4.1, item 7).
pub(crate) fn prepare(
    template: http::Request<()>,
    subprotocols: &[String],
    extensions: Option<&str>,
    limits: HeadLimits,
) -> Result<ClientHandshake, ConnectError> {
    let mut nonce = [0; 16];
    chance::fill(&mut nonce)?;
    Ok(ClientHandshake::new(template, subprotocols, extensions, nonce)?.with_limits(limits))
}

/// The time for a refusal's body after its head: a server that keeps the stream open must not delay the status
/// until the opening deadline.
pub(crate) const BODY_PATIENCE: Duration = Duration::from_secs(2);

/// An alert or handshake record (RFC 8446 section 5.1).
fn starts_with_tls(received: &[u8]) -> bool {
    matches!(received, [0x15 | 0x16, 0x03, ..] | [0x15])
}
