//! One request on an HTTP/2 connection, and the WebSocket that it becomes.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use h2::ext::Protocol;
use h2::server::SendResponse;
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderValue, Method, StatusCode, Version};
use tokio::select;
use tokio::time::timeout_at;
use tracing::Span;
use ws_core::handshake::Opening;
use ws_tokio::http2::Receiving;

use super::calls::InUse;
use super::failed;
use crate::config::error::AcceptError;
use crate::config::handshake::HandshakeOptions;
use crate::config::options::from_now;
use crate::hub::Seat;
use crate::opening::handshake::{Agreed, Site, judge};
use crate::serve::running::{Running, run};
use crate::serve::state::ServerState;
use crate::serve::visit::Visit;
use crate::transport::peer::Peer;
use crate::transport::stream::Stream;
use crate::web::date;
use crate::web::denied::Denied;
use crate::web::response::Response;

/// A request that has been accepted.
pub(crate) struct Call {
    pub(crate) server: Arc<ServerState>,
    /// What the client sends behind it is taken out of `h2` while the request is decided on.
    pub(crate) request: http::Request<Receiving>,
    pub(crate) respond: SendResponse<Bytes>,
    pub(crate) peer: Peer,
}

/// Serves one request to its end, which is that of its WebSocket if it becomes one.
pub(crate) async fn serve(seat: Seat, span: Span, call: Box<Call>, in_use: InUse) {
    run(&seat, span, open(&seat, call)).await;
    drop(in_use);
}

/// From the request to the open WebSocket.
async fn open(seat: &Seat, call: Box<Call>) -> Result<Running, AcceptError> {
    let Call { server, request, mut respond, peer } = *call;
    let options = &server.hub.options.handshake;
    let visit = Visit::new(&server, None);
    let (addr, secure) = (peer.addr, peer.secure);
    let (parts, body) = request.into_parts();
    let head = http::Request::from_parts(parts, ());
    let is_head = head.method() == Method::HEAD;
    let decision = select! {
        biased;
        decision = decide(head, &visit, peer, options) => decision,
        // The peer has lost interest.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return Err(AcceptError::Closed),
    };
    let (mut opened, response) = match decision {
        Ok((agreed, response)) => (agreed.opened(Vec::new()), response),
        Err((response, why)) => {
            let answering = answer(&mut respond, response, is_head);
            // With too many answers under way this one is written as far as that needs no waiting.
            let patience = if visit.has_time_to_answer() { options.answer_timeout } else { PARTING };
            let answered = timeout_at(from_now(patience), answering).await.unwrap_or_else(|_| {
                respond.send_reset(Reason::CANCEL);
                Ok(())
            });
            return Err(why.after(answered));
        }
    };
    // RFC 8441 §5: the stream stays open, and its DATA are the WebSocket.
    let send = respond.send_response(response, false).map_err(failed)?;
    let stream = Stream::http2(body.stream(send), addr, secure);
    let Some(handler) = opened.handler.take() else { return Err(AcceptError::Closed) };
    Ok(Running::start(stream, opened, move |websocket, request| handler(websocket, request), seat))
}

/// What is granted, with the head of the answer; or the answer, and what to report.
type Decision = Result<(Agreed, http::Response<()>), (Response, AcceptError)>;

/// Judges a request, within the handshake's time.
async fn decide(
    mut head: http::Request<()>,
    visit: &Visit<'_>,
    peer: Peer,
    options: &HandshakeOptions,
) -> Decision {
    let protocol = head.extensions_mut().remove::<Protocol>();
    let complete = |denied: Denied| denied.complete(Version::HTTP_2);
    let opening = Opening::from_connect(head, protocol.as_ref().map(Protocol::as_str), options.head)
        .map_err(|refusal| complete(Denied::malformed(refusal)))?;
    let judging = pin!(judge(opening, visit, peer, options));
    let judged = timeout_at(from_now(options.timeout), judging).await;
    let mut agreed = judged.unwrap_or_else(|_| Err(Denied::late(options))).map_err(complete)?;
    match agreed.upgrade.response(agreed.granted.acceptance()) {
        Ok(mut response) => {
            // RFC 9110 §6.6.1: an answer with a final status has the date.
            response.headers_mut().entry(DATE).or_insert_with(date::now);
            Ok((agreed, response))
        }
        Err(error) => Err(complete(Denied::failed(AcceptError::Answer(error)))),
    }
}

/// Writes an answer that is no WebSocket, as the peer's windows allow it.
async fn answer(
    respond: &mut SendResponse<Bytes>,
    mut response: Response,
    is_head: bool,
) -> Result<(), AcceptError> {
    let headers = response.headers_mut();
    headers.entry(DATE).or_insert_with(date::now);
    let status = response.status();
    // RFC 9110 §8.6: no Content-Length with 204; with 304 it would be that of another response.
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    let (head, mut rest) = response.into_parts();
    let is_bodiless = is_head || rest.is_empty();
    let head = http::Response::from_parts(head, ());
    let mut send = respond.send_response(head, is_bodiless).map_err(failed)?;
    while !is_bodiless && !rest.is_empty() {
        send.reserve_capacity(rest.len().min(AT_ONCE));
        if send.capacity() == 0 {
            match poll_fn(|cx| send.poll_capacity(cx)).await {
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(failed(error)),
                None => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            }
        }
        let part = rest.split_to(send.capacity().min(rest.len()));
        send.send_data(part, rest.is_empty()).map_err(failed)?;
    }
    Ok(())
}

/// The payload of a frame of the size that every peer takes (RFC 9113 section 4.2).
const AT_ONCE: usize = 16 << 10;
/// How long an answer may take when there are too many: what needs no waiting is done by then.
const PARTING: std::time::Duration = std::time::Duration::from_millis(1);
