//! The life of an HTTP/2 connection (RFC 9113), on which each request, and so each WebSocket, is a stream with its own task.

mod calls;
mod stream;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use tokio::select;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;
use ws_tokio::http2::{Inboxes, Paced};

use self::calls::Calls;
use self::stream::{Call, serve};
use crate::config::error::AcceptError;
use crate::config::http2::Http2Options;
use crate::config::options::from_now;
use crate::hub::admission::Permit;
use crate::hub::memory::Cost;
use crate::serve::state::ServerState;
use crate::transport::peer::Peer;
use crate::transport::replayed::Replayed;
use crate::transport::stream::Stream;
use crate::transport::watched::Watched;

/// An HTTP/2 connection whose first request has arrived.
pub(crate) struct Http2Connection {
    // Dropped before the inboxes, which then end the streams that are left.
    connection: Connection<Socket, Bytes>,
    inboxes: Inboxes,
    server: Arc<ServerState>,
    peer: Peer,
    calls: Arc<Calls>,
    _cost: Cost,
}

type Socket = Paced<Replayed<Watched<Stream>>>;

/// A request, and where its answer goes.
type Incoming = (http::Request<RecvStream>, SendResponse<Bytes>);

/// Begins HTTP/2 on a stream, of which the bytes `first` have been read, and waits for the first request.
pub(crate) async fn begin(
    server: Arc<ServerState>,
    stream: Watched<Stream>,
    first: Vec<u8>,
    peer: Peer,
    deadline: Instant,
    cost: Cost,
) -> Result<Box<Http2Connection>, AcceptError> {
    let options = server.hub.options.http2.clone().unwrap_or_default();
    let late = AcceptError::Timeout(server.hub.options.handshake.timeout);
    let inboxes = Inboxes::new();
    let handshake = pin!(builder(&options).handshake(inboxes.pace(Replayed::new(first, stream))));
    let Ok(connection) = timeout_at(deadline, handshake).await else { return Err(late) };
    let connection = connection.map_err(failed)?;
    let mut this = Http2Connection { connection, inboxes, server, peer, calls: Arc::default(), _cost: cost };
    match timeout_at(deadline, this.accept()).await {
        Ok(Some(Ok(incoming))) => this.start(incoming),
        Ok(Some(Err(error))) => return Err(failed(error)),
        Ok(None) => return Err(AcceptError::Closed),
        Err(_) => {
            this.leave().await;
            return Err(late);
        }
    }
    Ok(Box::new(this))
}

/// The settings of the connection; the first SETTINGS permit extended CONNECT (RFC 8441 section 3).
fn builder(options: &Http2Options) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(options.max_streams)
        .initial_window_size(options.stream_window)
        .initial_connection_window_size(options.connection_window_size())
        .max_header_list_size(options.max_header_list_size)
        .max_pending_accept_reset_streams(options.max_pending_accept_reset_streams)
        .max_local_error_reset_streams(Some(options.max_local_error_reset_streams))
        // What a client has sent before it learns that its stream was reset is no fault: RFC 9113 §5.4.2.
        .max_concurrent_reset_streams((options.max_streams as usize).saturating_mul(2))
        .reset_stream_duration(REMEMBERED_FOR)
        .max_send_buffer_size(options.max_send_buffer_size)
        .data_frame_budget(options.data_frame_budget);
    builder
}

/// A connection without streams.
struct Idle {
    until: Instant,
    _permit: Option<Permit>,
}

impl Http2Connection {
    /// Serves the connection until it ends: by itself, because it is idle, or with the server.
    pub(crate) async fn serve(&mut self) {
        let (hub, calls) = (self.server.hub.clone(), self.calls.clone());
        let idle_timeout = hub.options.http2.as_ref().map(|http2| http2.idle_timeout).unwrap_or_default();
        let (mut idle, mut drains) = (None, false);
        loop {
            idle = match (calls.is_empty(), idle) {
                (false, _) => None,
                (true, Some(idle)) => Some(idle),
                // An idle connection has no permit of a WebSocket: there are as many as of answers being written.
                (true, None) => match hub.admission.answer() {
                    Some(permit) => Some(Idle { until: from_now(idle_timeout), _permit: Some(permit) }),
                    None => Some(Idle { until: Instant::now(), _permit: None }),
                },
            };
            let until = idle.as_ref().map(|idle| idle.until);
            if until.is_some() && drains {
                break;
            }
            select! {
                biased;
                incoming = self.accept() => match incoming {
                    Some(Ok(incoming)) => self.start(incoming),
                    Some(Err(error)) => return debug!(id = %self.peer.id, %error, "the HTTP/2 connection failed"),
                    None => return debug!(id = %self.peer.id, "the HTTP/2 connection has ended"),
                },
                () = calls.changed() => {}
                () = wait(until) => break,
                // The WebSockets are closed first, each with 1001; their tasks are in the registry.
                () = hub.admission.closed(), if !drains => drains = true,
            }
        }
        self.leave().await;
    }

    /// The next request; `None` at the end of the connection. Everything else that the connection does is done by the
    /// way.
    async fn accept(&mut self) -> Option<Result<Incoming, h2::Error>> {
        let Self { connection, inboxes, .. } = self;
        poll_fn(|cx| {
            let accepted = connection.poll_accept(cx);
            inboxes.poll_fill(cx);
            accepted
        })
        .await
    }

    /// Starts the task of a request.
    fn start(&self, (request, mut respond): Incoming) {
        let peer = self.peer.on_another_stream();
        let Some(seat) = self.server.hub.stream(peer.id) else {
            // RFC 9113 §8.7: nothing has been done for it, and it may be tried again elsewhere.
            return respond.send_reset(Reason::REFUSED_STREAM);
        };
        let server = self.server.clone();
        let request = request.map(|body| self.inboxes.opener().receive(body));
        let proxies = &self.server.hub.options.handshake.proxies;
        let client = peer.behind().filter(|_| !proxies.believes_fields_of(peer.client));
        let span = peer.handshake_span(client);
        let call = Box::new(Call { server, request, respond, peer });
        let in_use = self.calls.begin();
        seat.start(|seat| serve(seat, span, call, in_use));
    }

    /// Sends GOAWAY (RFC 9113 section 6.8), and waits for the peer to take it, for as long as a refusal lingers.
    async fn leave(&mut self) {
        self.connection.graceful_shutdown();
        let deadline = from_now(self.server.hub.options.handshake.linger_timeout);
        while let Ok(Some(Ok(incoming))) = timeout_at(deadline, self.accept()).await {
            // It was sent before the peer knew.
            self.start(incoming);
        }
    }
}

/// How long late frames on a stream that was reset are ignored, instead of counted as faults.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// Ready at that time; never without one.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// What a fault of HTTP/2 is for an opening handshake.
fn failed(error: h2::Error) -> AcceptError {
    match error.get_io() {
        Some(io) => AcceptError::Io(io::Error::new(io.kind(), error)),
        None => AcceptError::Io(io::Error::other(error)),
    }
}

impl fmt::Debug for Http2Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}
