//! One HTTP exchange on a stream: read a head, write an answer, linger.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use http::header::DATE;
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{timeout, timeout_at};
use ws_core::handshake::{
    Opening, Refusal, RequestReader, ResponseError, encode_head_response, encode_response,
};

use crate::config::error::AcceptError;
use crate::config::handshake::HandshakeOptions;
use crate::config::options::from_now;
use crate::transport::proxy_header::looks_like_one;
use crate::web::date;
use crate::web::response::{Response, internal_error};

/// What came of reading a head.
pub(crate) enum Head {
    /// A well-formed request, and the bytes that came after it.
    Whole(Box<Opening>, Vec<u8>),
    /// Something else; this is the answer.
    Faulty(Refusal),
}

/// Reads the head of a request, of which the bytes in `buffer` have been read already. The caller sets the deadline.
pub(crate) async fn read_head<S>(
    stream: &mut S,
    options: &HandshakeOptions,
    mut buffer: Vec<u8>,
) -> Result<Head, AcceptError>
where
    S: AsyncRead + Unpin,
{
    let mut reader = RequestReader::new(options.head);
    buffer.reserve_exact(FIRST_READ.min(options.head.bytes));
    loop {
        if !buffer.is_empty()
            && let Some(head) = judge_head(&mut reader, &mut buffer)
        {
            return Ok(head);
        }
        // Limits before allocation: a reader that wants more has been given less than the limit.
        let room = options.head.bytes.saturating_sub(buffer.len()).max(1) as u64;
        if (&mut *stream).take(room).read_buf(&mut buffer).await? == 0 {
            return Err(AcceptError::Closed);
        }
    }
}

/// What the bytes that have been read are; `None` if more are needed.
fn judge_head(reader: &mut RequestReader, buffer: &mut Vec<u8>) -> Option<Head> {
    match reader.receive(buffer) {
        Ok(None) => None,
        Ok(Some((opening, length))) => Some(Head::Whole(Box::new(opening), buffer.split_off(length))),
        Err(_) if looks_like_one(buffer) => {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, UNEXPECTED_PROXY_HEADER);
            Some(Head::Faulty(refusal))
        }
        Err(refusal) => Some(Head::Faulty(refusal)),
    }
}

/// The bytes of a response, for a request of that method, with the date.
fn encode(mut response: Response, method: &Method) -> Result<Vec<u8>, ResponseError> {
    // RFC 9110 §6.6.1: an origin server with a clock MUST generate Date in 2xx, 3xx and 4xx responses, and MAY in 5xx.
    response.headers_mut().entry(DATE).or_insert_with(date::now);
    match *method {
        Method::HEAD => encode_head_response(&response),
        _ => encode_response(&response),
    }
}

/// As [`encode`]; for a response that must not be written, status 500 and the reason.
pub(crate) fn encode_or_500(response: Response, method: &Method) -> (Vec<u8>, Option<ResponseError>) {
    match encode(response, method) {
        Ok(bytes) => (bytes, None),
        Err(error) => (encode(internal_error(), method).unwrap_or_default(), Some(error)),
    }
}

/// The bytes of a refusal, with the date.
pub(crate) fn encode_refusal(refusal: &Refusal) -> Vec<u8> {
    refusal.encode_with_date(date::now())
}

/// Writes an answer that is not 101, shuts down the write side, and reads and throws away what the peer
/// still sends: closing with unread bytes would make the system send a reset, which can destroy the
/// answer before the peer has read it (RFC 9112 section 9.6).
pub(crate) async fn answer<S>(stream: &mut S, bytes: &[u8], options: &HandshakeOptions) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let deadline = from_now(options.answer_timeout);
    let write = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await
    };
    timeout_at(deadline, write).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    linger(stream, options.linger_timeout, options.max_linger_bytes).await;
    Ok(())
}

/// Writes an answer to a peer that has no time left: one attempt, no waiting.
pub(crate) async fn parting_word<S>(stream: &mut S, bytes: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let write = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await
    };
    // It fits into the empty send buffer of any socket, so it is written at the first poll or not at all.
    let _ = timeout(Duration::from_millis(1), write).await;
}

/// Reads and throws away until the peer is done, the time is over, or this many bytes have come.
pub(crate) async fn linger<S: AsyncRead + Unpin>(stream: &mut S, time: Duration, bytes: u64) {
    let mut rest = stream.take(bytes);
    // Into a buffer that is there only while something is read: thousands may linger at a time, when memory is short above all.
    let discard = poll_fn(|context| {
        loop {
            let mut scratch = [MaybeUninit::uninit(); LINGER_READ];
            let mut read = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut rest).poll_read(context, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    });
    let _ = timeout(time, discard).await;
}

/// To a connection that begins with a header of the PROXY protocol where none is read.
pub(crate) const UNEXPECTED_PROXY_HEADER: &str = "This begins with a header of the PROXY protocol, which is read once, at the \
     start of a connection, and only if the setting handshake.proxies has proxy_protocol and the address of the peer is in trusted; \
     set both, or turn it off in the load balancer (haproxy: send-proxy; nginx: proxy_protocol).";
/// What a browser's opening handshake fits into.
const FIRST_READ: usize = 1024;
const LINGER_READ: usize = 16 << 10;
