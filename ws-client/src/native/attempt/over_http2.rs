//! An attempt over HTTP/2: RFC 8441.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use ws_core::handshake::{ConnectHandshake, HandshakeError, MAX_INTERIM_RESPONSES};

use super::Attempt;
use crate::error::{ConnectError, Stage};
use crate::http_version::HttpVersion;
use crate::http2::{Key, Lease, Link, Origin, Slot};
use crate::http2_error::Http2Error;
use crate::negotiated::Opened;
use crate::opening::{Failure, read_body};
use crate::route::Route;
use crate::stream::Stream;

/// How an attempt over HTTP/2 ended.
pub(super) enum Http2Outcome {
    /// The WebSocket is open.
    Opened(Box<Opened>),
    /// The server is to be spoken to in HTTP/1.1: on this stream, if there is one already.
    Http1(Option<Stream>),
}

/// Why a request got no answer.
enum Unanswered {
    /// The server has processed nothing of the request, so it may be sent again (RFC 9113 section 8.7).
    NotProcessed(h2::Error),
    Failed(h2::Error),
    TooManyInterim,
}

/// An answer, the way to send on its stream, and the place of the stream.
type Answered = (Response<RecvStream>, SendStream<Bytes>, Slot);

impl Attempt<'_> {
    /// Opens a WebSocket on an HTTP/2 connection: an open one if there is one with room, else a new one.
    pub(super) async fn connect_over_http2(&mut self, route: &Route) -> Result<Http2Outcome, ConnectError> {
        let version = self.setup.options.http_version;
        let is_offered = self.request.is_secure() || version == HttpVersion::Http2;
        if version == HttpVersion::Http1 || !is_offered {
            return Ok(Http2Outcome::Http1(None));
        }
        let handshake = self.prepare_connect()?;
        let origin = self.setup.pool.origin(Key::new(&self.request, route));
        // Whether the request was sent before, and not processed.
        let mut is_repeated = false;
        loop {
            let open = if is_repeated { None } else { origin.lease() };
            let lease = match open {
                Some(lease) => lease,
                None => match self.open_link(&origin, route, is_repeated).await? {
                    Ok(lease) => lease,
                    Err(stream) => return Ok(Http2Outcome::Http1(stream)),
                },
            };
            self.stage = Stage::Handshake;
            match request(lease, &handshake).await {
                Ok(answered) => {
                    let opened = self.judge_connect(&handshake, answered).await?;
                    return Ok(Http2Outcome::Opened(Box::new(opened)));
                }
                Err(Unanswered::NotProcessed(error)) if !is_repeated => {
                    tracing::debug!(%error, "request not processed, sending it again on a new connection");
                    is_repeated = true;
                }
                Err(Unanswered::NotProcessed(error) | Unanswered::Failed(error)) => {
                    // RFC 9113 §7: the server wants this request over HTTP/1.1.
                    if !self.is_strict() && error.reason() == Some(Reason::HTTP_1_1_REQUIRED) {
                        origin.remember_http1();
                        return Ok(Http2Outcome::Http1(None));
                    }
                    return Err(self.broke_over_http2(Some(error)));
                }
                Err(Unanswered::TooManyInterim) => {
                    let error = HandshakeError::TooManyInterim { limit: MAX_INTERIM_RESPONSES };
                    return Err(self.failed(Failure::Handshake(error)));
                }
            }
        }
    }

    /// Opens a connection, or waits for one that another attempt opens. `Err` is for HTTP/1.1.
    async fn open_link(
        &mut self,
        origin: &Arc<Origin>,
        route: &Route,
        only_new: bool,
    ) -> Result<Result<Lease, Option<Stream>>, ConnectError> {
        self.stage = Stage::Dial;
        if origin.is_http1() {
            return Ok(Err(None));
        }
        let _turn = origin.opening.lock().await;
        if origin.is_http1() {
            return Ok(Err(None));
        }
        let open = if only_new { None } else { origin.lease() };
        if let Some(lease) = open {
            return Ok(Ok(lease));
        }
        let stream = self.reach(route).await?;
        let stream = self.encrypt_for_http2(stream).await?;
        if self.request.is_secure() && !stream.speaks_http2() {
            if self.is_strict() {
                return Err(self.not_over_http2(Http2Error::NotOffered));
            }
            origin.remember_http1();
            return Ok(Err(Some(stream)));
        }
        self.stage = Stage::Http2;
        let opened = Link::open(stream, &self.setup.options.http2, origin).await;
        let (link, lease) = opened.map_err(|error| self.broke_over_http2(error))?;
        // RFC 8441 §3: `:protocol` MUST NOT be sent without SETTINGS_ENABLE_CONNECT_PROTOCOL = 1.
        if !link.allows_websockets() {
            if self.is_strict() {
                return Err(self.not_over_http2(Http2Error::NotAllowed));
            }
            tracing::debug!(server = %self.request.authority(), "no WebSockets over HTTP/2, using HTTP/1.1");
            origin.remember_http1();
            return Ok(Err(None));
        }
        origin.add(link);
        Ok(Ok(lease))
    }

    /// Judges the answer to a request.
    async fn judge_connect(
        &self,
        handshake: &ConnectHandshake,
        (answer, send, slot): Answered,
    ) -> Result<Opened, ConnectError> {
        let (head, receive) = answer.into_parts();
        let is_ended = receive.is_end_stream();
        let mut stream = slot.stream(send, receive);
        match handshake.judge(Response::from_parts(head, ())) {
            Ok(_) if is_ended => Err(self.not_over_http2(Http2Error::Ended)),
            Ok(established) => {
                let held = stream.held();
                let (mut websocket, negotiated) = self.opened(slot.carry(stream), &[], established)?;
                websocket.count_held(held);
                Ok((websocket, negotiated))
            }
            Err(HandshakeError::Refused(mut refused)) => {
                read_body(&mut stream, &mut refused, &[], self.max_refusal_body(), self.deadline).await;
                Err(self.failed(Failure::Handshake(HandshakeError::Refused(refused))))
            }
            Err(error) => Err(self.failed(Failure::Handshake(error))),
        }
    }

    fn prepare_connect(&self) -> Result<ConnectHandshake, ConnectError> {
        let template = self.request.connect_template()?;
        let offer = self.setup.offer();
        Ok(ConnectHandshake::new(template, self.request.subprotocols(), offer.as_deref())?)
    }

    /// Encrypts a stream for `wss`, and offers HTTP/2.
    async fn encrypt_for_http2(&mut self, stream: Stream) -> Result<Stream, ConnectError> {
        #[cfg(feature = "tls")]
        return match self.encrypt_by(&self.setup.tls_http2, stream).await {
            // RFC 7301 §3.2: the server speaks none of the protocols that were offered.
            Err(ConnectError::Tls(error)) if self.is_strict() && error.is_about_alpn() => {
                Err(self.not_over_http2(Http2Error::NotOffered))
            }
            result => result,
        };
        #[cfg(not(feature = "tls"))]
        self.encrypt_if_secure(stream).await
    }

    /// Whether HTTP/1.1 is no substitute.
    fn is_strict(&self) -> bool {
        self.setup.options.http_version == HttpVersion::Http2
    }

    fn not_over_http2(&self, source: Http2Error) -> ConnectError {
        ConnectError::Http2 { authority: self.request.authority(), source }
    }

    /// The error for a stream or a connection that broke; `None` is an end without a reason.
    fn broke_over_http2(&self, error: Option<h2::Error>) -> ConnectError {
        match error.as_ref().map(Http2Error::new) {
            Some(Some(source)) => self.not_over_http2(source),
            _ => {
                let source = error.and_then(h2::Error::into_io);
                let source = source.unwrap_or_else(|| std::io::ErrorKind::UnexpectedEof.into());
                self.failed(Failure::Io(source))
            }
        }
    }
}

/// Sends a request and waits for the head of its answer.
async fn request(lease: Lease, handshake: &ConnectHandshake) -> Result<Answered, Unanswered> {
    let Lease { mut requests, slot } = lease;
    let mut request = handshake.request();
    request.extensions_mut().insert(Protocol::from_static(ConnectHandshake::PROTOCOL));
    let (response, send) = requests.send_request(request, false).map_err(|error| {
        // Nothing was sent: the connection has ended.
        slot.leave_pool();
        Unanswered::NotProcessed(error)
    })?;
    drop(requests);
    let waiting = Waiting(Some(&slot));
    let answer = head(response).await;
    waiting.end();
    Ok((answer?, send, slot))
}

/// Waits for the head of the final answer.
async fn head(mut response: ResponseFuture) -> Result<Response<RecvStream>, Unanswered> {
    let mut interim = 0;
    poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(_))) = response.poll_informational(cx) {
            interim += 1;
            // RFC 9110 §15.2: a client reads any number of interim responses; ours are bounded, as over HTTP/1.1.
            if interim > MAX_INTERIM_RESPONSES {
                return Poll::Ready(Err(Unanswered::TooManyInterim));
            }
        }
        Pin::new(&mut response).poll(cx).map_err(|error| {
            // RFC 9113 §8.7: a refused stream, and one above the last of a GOAWAY, were not processed.
            let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
            if error.is_remote() && (refused || error.is_go_away()) {
                Unanswered::NotProcessed(error)
            } else {
                Unanswered::Failed(error)
            }
        })
    })
    .await
}

/// Doubts the connection if the attempt is dropped before there is an answer: it may have broken without a word.
struct Waiting<'s>(Option<&'s Slot>);

impl Waiting<'_> {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.doubt();
        }
    }
}
