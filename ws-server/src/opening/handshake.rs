//! The opening handshake of one connection: a request comes in, a decision comes out.

use std::net::SocketAddr;
use std::pin::pin;

use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use ws_core::Connection;
use ws_core::handshake::{Opening, UpgradeRequest};

use crate::config::error::AcceptError;
use crate::config::handshake::HandshakeOptions;
use crate::hub::admission::{Admission, OpenPermit};
use crate::opening::decision::{Granted, decide, plain};
use crate::opening::endpoint::Gate;
use crate::transport::peer::Peer;
use crate::web::denied::Denied;
use crate::web::exchange::{Head, answer, encode_or_500, encode_refusal, parting_word, read_head};
use crate::web::forwarded::learn_client;
use crate::web::handler::{AnyHandler, AnyPage};
use crate::web::request::Request;
use crate::web::response::{not_found, request_timeout};

/// Where requests can lead.
pub(crate) trait Site {
    /// Notes that the request of that client is whole, and whether it is for a WebSocket; or returns the answer, when there are too
    /// many to decide on another.
    fn heard(&self, upgrade: bool, client: Option<SocketAddr>) -> Result<(), Denied> {
        let _ = (upgrade, client);
        Ok(())
    }

    /// Whether the peer may take its time with an answer that is no WebSocket. Called once, when there is one.
    fn has_time_to_answer(&self) -> bool {
        true
    }

    /// What is at a path; `None` when nothing is.
    fn find(&self, path: &str) -> Option<Found<'_>>;
}

/// What is at a path.
pub(crate) struct Found<'a> {
    pub(crate) gate: Option<&'a Gate>,
    pub(crate) handler: Option<&'a AnyHandler>,
    pub(crate) page: Option<&'a AnyPage>,
    pub(crate) params: Vec<(String, String)>,
    /// Which decides whether another WebSocket may open.
    pub(crate) admission: Option<&'a Admission>,
    /// The page is answered whatever host the request is addressed to.
    pub(crate) any_host: bool,
}

/// An opening handshake that has been done; the 101 is written.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) request: Request,
    pub(crate) handler: Option<AnyHandler>,
    /// From the [`Found::admission`].
    pub(crate) permit: Option<OpenPermit>,
    /// What came after the request: the first bytes of frames.
    pub(crate) received: Vec<u8>,
}

/// A request that becomes a WebSocket once the answer is written.
pub(crate) struct Agreed {
    pub(crate) upgrade: UpgradeRequest,
    pub(crate) granted: Granted,
    handler: Option<AnyHandler>,
}

impl Agreed {
    /// The answer has been written; `received` came after the request.
    pub(crate) fn opened(self, received: Vec<u8>) -> Opened {
        let Granted { connection, request, permit, .. } = self.granted;
        Opened { connection, request, handler: self.handler, permit, received }
    }
}

/// Does the opening handshake over HTTP/1.1. When it comes to nothing the peer has been answered, if it can be.
/// `received` has been read already.
pub(crate) async fn open<S>(
    stream: &mut S,
    site: &impl Site,
    peer: Peer,
    options: &HandshakeOptions,
    deadline: Instant,
    received: Vec<u8>,
) -> Result<Opened, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let negotiated = {
        // Pinned here: the timeout would move all of it.
        let negotiating = pin!(negotiate(stream, site, peer, options, received));
        timeout_at(deadline, negotiating).await
    };
    let Ok(decision) = negotiated else {
        parting_word(stream, &encode_or_500(request_timeout(), &Method::GET).0).await;
        return Err(AcceptError::Timeout(options.timeout));
    };
    match decision? {
        Decision::Open(opened) => Ok(*opened),
        Decision::Answer(bytes, outcome) => {
            if site.has_time_to_answer() {
                Err(outcome.after(answer(stream, &bytes, options).await))
            } else {
                parting_word(stream, &bytes).await;
                Err(outcome)
            }
        }
    }
}

enum Decision {
    Open(Box<Opened>),
    /// Write this, linger, and report that.
    Answer(Vec<u8>, AcceptError),
}

/// Everything that the handshake's deadline covers.
async fn negotiate<S>(
    stream: &mut S,
    site: &impl Site,
    peer: Peer,
    options: &HandshakeOptions,
    received: Vec<u8>,
) -> Result<Decision, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (opening, received) = match read_head(stream, options, received).await? {
        Head::Whole(opening, received) => (*opening, received),
        Head::Faulty(refusal) => {
            return Ok(Decision::Answer(encode_refusal(&refusal), AcceptError::Malformed(refusal)));
        }
    };
    let method = method(&opening);
    let mut agreed = match judge(opening, site, peer, options).await {
        Ok(agreed) => agreed,
        Err(denied) => return Ok(Decision::deny(denied, &method)),
    };
    match agreed.upgrade.accept(agreed.granted.acceptance()) {
        Ok(response) => {
            stream.write_all(&response).await?;
            stream.flush().await?;
            Ok(Decision::Open(Box::new(agreed.opened(received))))
        }
        Err(error) => Ok(Decision::deny(Denied::failed(AcceptError::Answer(error)), &method)),
    }
}

/// The method of a request, on which it depends whether its answer has a body.
pub(crate) fn method(opening: &Opening) -> Method {
    match opening {
        Opening::Upgrade(upgrade) => upgrade.request().method().clone(),
        Opening::Plain(head) => head.method().clone(),
    }
}

/// Decides on a well-formed request, whatever the version of HTTP that it came by.
pub(crate) async fn judge(
    opening: Opening,
    site: &impl Site,
    mut peer: Peer,
    options: &HandshakeOptions,
) -> Result<Agreed, Denied> {
    let head = match &opening {
        Opening::Upgrade(upgrade) => upgrade.request(),
        Opening::Plain(head) => head,
    };
    learn_client(&mut peer, head, options);
    let heard = site.heard(matches!(opening, Opening::Upgrade(_)), peer.client);
    let mut upgrade = match opening {
        Opening::Upgrade(upgrade) => upgrade,
        Opening::Plain(head) => {
            let (page, params, any_host) = match site.find(head.uri().path()) {
                Some(found) => (Some(found.page), found.params, found.any_host),
                None => (None, Vec::new(), false),
            };
            if !any_host && let Err(refusal) = options.allowed_hosts.check_request(&head) {
                return Err(Denied::not_allowed(refusal));
            }
            return Err(plain(head, params, peer, page).await);
        }
    };
    options.allowed_hosts.check_request(upgrade.request()).map_err(Denied::not_allowed)?;
    let path = upgrade.request().uri().path();
    let Some(Found { gate: Some(gate), handler, params, admission, .. }) = site.find(path) else {
        return Err(Denied::because(AcceptError::NoEndpoint, not_found()));
    };
    if let Err(denied) = heard {
        return Err(denied.after_a_pause().await);
    }
    let granted = match decide(&mut upgrade, params, peer, gate, admission).await {
        Ok(granted) => granted,
        Err(denied) => return Err(denied.after_a_pause().await),
    };
    Ok(Agreed { upgrade, granted, handler: handler.cloned() })
}

impl Decision {
    fn deny(denied: Denied, method: &Method) -> Self {
        let (bytes, error) = encode_or_500(*denied.response, method);
        Self::Answer(bytes, error.map_or(denied.why, AcceptError::Answer))
    }
}
