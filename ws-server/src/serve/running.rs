//! An open WebSocket and its handler, to the end; and what the log says.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::iter::successors;
use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::{Span, debug, error, info, warn};
use ws_core::{CloseCause, CloseCode, CloseInfo, Initiator, ProtocolError};
use ws_tokio::{CloseRecord, Closer, ConnectionId};

use crate::config::error::AcceptError;
use crate::config::handshake::HandshakeOptions;
use crate::hub::Seat;
use crate::hub::admission::{MAX_MEMORY, OpenPermit};
use crate::hub::stats::Stats;
use crate::opening::handshake::Opened;
use crate::transport::rest::{Left, Rest};
use crate::transport::stream::Stream;
use crate::transport::stream::WebSocket;
use crate::transport::throttle::Throttle;
use crate::web::exchange::linger;
use crate::web::handler::HandlerFuture;
use crate::web::panic::{Caught, caught};
use crate::web::request::Request;

/// Runs a connection in its seat to the end: waits in the span of its handshake until its WebSocket is open, and then for the
/// handler.
#[cfg(any(feature = "hyper", feature = "http2"))]
pub(crate) fn run<F>(seat: &Seat, span: Span, start: F) -> impl Future<Output = ()>
where
    F: Future<Output = Result<Running, AcceptError>>,
{
    // Boxed so that the memory of the handshake is freed before the handler's long life begins.
    let start = Box::pin(tracing::Instrument::instrument(reported(seat, start), span));
    async move {
        // By reference: what is moved from one variable to another takes its place twice, for as long as the connection is open.
        if let Some(running) = &mut start.await {
            running.finish(seat).await;
        }
    }
}

/// What comes of an opening handshake; when that is nothing it is reported, in its span.
pub(crate) async fn reported<T>(
    seat: &Seat,
    handshake: impl Future<Output = Result<T, AcceptError>>,
) -> Option<T> {
    handshake.await.inspect_err(|error| report(&seat.hub().stats, error)).ok()
}

/// An open WebSocket that its handler has been given. Small: it lives as long as the connection.
pub(crate) struct Running {
    handler: Caught<<HandlerFuture as Future>::Output>,
    closer: Closer,
    rest: Rest,
    /// The span of its life, if the options ask for one. Boxed, as mostly there is none.
    span: Option<Box<Span>>,
    _permit: Option<OpenPermit>,
}

impl Running {
    /// Gives an open WebSocket to its handler.
    pub(crate) fn start(
        mut stream: Stream,
        opened: Opened,
        handler: impl FnOnce(WebSocket, Request) -> HandlerFuture,
        seat: &Seat,
    ) -> Self {
        let Opened { connection, request, permit, received, .. } = opened;
        Span::current().record("path", request.path());
        info!(
            subprotocol = request.subprotocol(),
            http = ?request.version(),
            tls = request.is_secure(),
            "open"
        );
        let rest = stream.rest(request.id());
        #[cfg(feature = "http2")]
        let held = stream.held();
        if let Some(reads) = permit.as_ref().and_then(OpenPermit::reads) {
            stream.throttle(Throttle::new(reads.clone(), &received));
        }
        let mut websocket = WebSocket::new(stream, connection, &received);
        #[cfg(feature = "http2")]
        if let Some(held) = held {
            websocket.count_held(held);
        }
        websocket.take_over_on_drop();
        websocket.set_connection_id(request.id());
        let closer = websocket.closer();
        websocket.get_mut().close_beyond_limits(&closer);
        seat.opened(&mut websocket, &request);
        let span = seat.hub().options.connection_span.then(|| Box::new(connection_span(&request)));
        let run = || caught(|| handler(websocket, request));
        let handler = span.as_deref().unwrap_or(&Span::none()).in_scope(run);
        Self { handler, closer, rest, span, _permit: permit }
    }

    /// Until the handler is done and the peer has seen the end.
    pub(crate) async fn finish(&mut self, seat: &Seat) {
        let options = &seat.hub().options.handshake;
        let farewell = poll_fn(|context| match self.span.take() {
            None => self.poll_handler(context, seat, options),
            Some(span) => {
                let polled = span.in_scope(|| self.poll_handler(context, seat, options));
                self.span = Some(span);
                polled
            }
        })
        .await;
        // Boxed, as it takes a moment only.
        let ending = self.rest.take().map(|left| Box::pin(end(left, farewell, &self.rest, options)));
        if let Some(ending) = ending {
            ending.await;
        }
        let record = self.closer.record();
        seat.closed(record.as_ref());
        if let Some(record) = record {
            if record.info.cause == CloseCause::Protocol(ProtocolError::MemoryShort) {
                seat.hub().stats.count_closed_for_memory();
            }
            let span = self.span.as_deref();
            span.unwrap_or(&Span::none()).in_scope(|| report_close(seat.id(), &record));
        }
    }

    /// Ready when the handler is done, with what to do about its WebSocket if that is still open.
    fn poll_handler(
        &mut self,
        context: &mut Context<'_>,
        seat: &Seat,
        options: &HandshakeOptions,
    ) -> Poll<Farewell> {
        let ended = Pin::new(&mut self.handler).poll(context);
        if ended.is_pending()
            && let Some(left) = self.rest.take_dropped()
        {
            // The handler goes on without its WebSocket, which ends now: 1001 is sent if that needs no waiting. It lingers
            // beside the handler, in a task, since that takes a moment only and few handlers do so.
            if let Some(mut stream) = self.rest.say_goodbye(left) {
                let (time, bytes) = (options.linger_timeout, options.max_linger_bytes);
                tokio::spawn(async move { linger(&mut stream, time, bytes).await });
            }
        }
        ended.map(|ended| report_end(ended, &self.closer, seat))
    }
}

/// How a WebSocket ends that its handler has left open.
#[derive(Debug, Clone, Copy)]
enum Farewell {
    /// With the closing handshake.
    Close(CloseCode),
    /// RFC 6455 section 7.1.7: Close 1011 is queued, and no answer is awaited.
    Fail,
}

/// Ends what a handler has left.
async fn end(left: Left, farewell: Farewell, rest: &Rest, options: &HandshakeOptions) {
    let stream = match (left, farewell) {
        (Left::WebSocket(mut websocket), Farewell::Close(code)) => {
            // The code may be sent; how it ends is in the record.
            let _ = websocket.close(code, "").await;
            None
        }
        (Left::WebSocket(mut websocket), Farewell::Fail) => {
            // As long as the peer takes bytes; how it ends is in the record.
            let _ = websocket.flush().await;
            rest.say_goodbye(Left::WebSocket(websocket))
        }
        // It has been closed, or has sent what it could without waiting.
        (Left::Stream(stream), _) => Some(*stream),
    };
    if let Some(mut stream) = stream {
        // The peer is to see the Close before the connection goes.
        linger(&mut stream, options.linger_timeout, options.max_linger_bytes).await;
    }
}

/// What a handler comes to: its own outcome, or the text of its panic.
type Ended = <Caught<<HandlerFuture as Future>::Output> as Future>::Output;

/// Reports what came of the handler; returns what to do about its WebSocket, if that is still open.
fn report_end(ended: Ended, closer: &Closer, seat: &Seat) -> Farewell {
    let (id, info) = (seat.id(), closer.close_info());
    match ended {
        Ok(Ok(())) => {
            debug!(%id, "handler done");
            return Farewell::Close(CloseCode::NORMAL_CLOSURE);
        }
        // What the peer closed with is reported after this; the error has the reason, which is the peer's own words.
        Ok(Err(error)) if info.as_ref().is_some_and(|info| is_peers_close(&*error, info)) => {
            debug!(%id, "handler ended with the peer's close");
        }
        Ok(Err(error)) if info.is_some() && is_of_connection(&*error) => {
            info!(%id, %error, "handler ended with the error of its connection");
        }
        Ok(Err(error)) => warn!(%id, %error, "handler failed"),
        Err(panic) => {
            seat.hub().stats.count_panic();
            error!(%id, %panic, "handler panicked");
            return Farewell::Fail;
        }
    }
    Farewell::Close(CloseCode::INTERNAL_ERROR)
}

/// Whether a handler's error only passes on that the peer has closed: no failure of the handler's.
fn is_peers_close(error: &(dyn Error + 'static), info: &CloseInfo) -> bool {
    // With a code that reports a fault `recv` returns it, and the handler may have wrapped it in its own error.
    let passed_on = matches!(error.downcast_ref(), Some(ws_tokio::Error::Closed(_))) || !info.is_normal();
    info.is_clean() && info.initiator == Initiator::Remote && passed_on
}

/// Whether an error is that of a WebSocket, or has it as its source.
fn is_of_connection(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |&error| error.source()).any(<dyn Error>::is::<ws_tokio::Error>)
}

/// The span of the life of a WebSocket.
fn connection_span(request: &Request) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "connection",
        id = %request.id(),
        peer = request.peer_addr().map(display),
        client = request.behind().map(display),
        path = request.path()
    );
    // That of the handshake, which ends now.
    span.follows_from(Span::current());
    span
}

/// How the connection ended; without the reason, which is the peer's own words.
fn report_close(id: ConnectionId, record: &CloseRecord) {
    let CloseRecord { info, duration, traffic, .. } = record;
    info!(
        %id,
        initiator = ?info.initiator,
        cause = %info.cause,
        sent = info.sent.map(u16::from),
        received = info.received.map(u16::from),
        duration = duration.as_secs_f64(),
        messages_sent = traffic.messages_sent,
        messages_received = traffic.messages_received,
        bytes_sent = traffic.bytes_sent,
        bytes_received = traffic.bytes_received,
        rtt = info.rtt.map(|rtt| rtt.as_secs_f64()),
        unsent = info.unsent,
        "closed"
    );
}

/// An opening handshake that came to nothing.
pub(crate) fn report(stats: &Stats, error: &AcceptError) {
    match error {
        AcceptError::Plain(status) => {
            stats.count_plain();
            debug!(%status, "answered as plain HTTP");
        }
        AcceptError::Refused(status) => {
            stats.count_refused(error.reason());
            info!(%status, "refused");
        }
        AcceptError::NoEndpoint | AcceptError::Closing | AcceptError::NotSetUp(_) => {
            stats.count_refused(error.reason());
            info!(reason = error.reason(), "refused");
        }
        AcceptError::Limited { status, limit } => {
            stats.count_refused(error.reason());
            if *limit == MAX_MEMORY {
                stats.count_refused_for_memory();
            }
            info!(%status, limit, "refused");
        }
        AcceptError::NotAllowed(refusal) => {
            stats.count_refused(error.reason());
            info!(status = %refusal.status(), reason = refusal.body().trim_end(), "refused");
        }
        AcceptError::Panicked(panic) => {
            stats.count_panic();
            error!(%panic, "a guard or a page panicked; answered with status 500");
        }
        AcceptError::Answer(answer) => {
            stats.count_refused(error.reason());
            error!(error = %answer, "a handler's answer must not be written; answered with status 500");
        }
        other => {
            stats.count_failed_handshake(other.reason());
            info!(error = %other, "opening handshake failed");
        }
    }
}
