//! The opening handshake of one connection: a request comes in, a decision comes out.

use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use ws_core::Connection;
use ws_core::handshake::Opening;

use crate::config::error::AcceptError;
use crate::config::options::HandshakeOptions;
use crate::hub::admission::{Admission, Permit};
use crate::opening::decision::{Granted, decide, plain};
use crate::opening::endpoint::Gate;
use crate::transport::peer::Peer;
use crate::web::denied::Denied;
use crate::web::exchange::{Head, answer, encode_or_500, encode_refusal, parting_word, read_head};
use crate::web::handler::{AnyHandler, AnyPage};
use crate::web::request::Request;
use crate::web::response::{not_found, request_timeout};

/// Where requests can lead.
pub(crate) trait Site {
    /// Notes that the request is whole, and whether it is for a WebSocket; or returns the answer, when there are too
    /// many to decide on another.
    fn heard(&self, upgrade: bool) -> Result<(), Denied> {
        let _ = upgrade;
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
    pub(crate) permit: Option<Permit>,
    /// What came after the request: the first bytes of frames.
    pub(crate) received: Vec<u8>,
}

/// Does the opening handshake. When it comes to nothing the peer has been answered, if it can be.
pub(crate) async fn open<S>(
    stream: &mut S,
    site: &impl Site,
    peer: Peer,
    options: &HandshakeOptions,
    deadline: Instant,
) -> Result<Opened, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(decision) = timeout_at(deadline, negotiate(stream, site, peer, options)).await else {
        parting_word(stream, &encode_or_500(request_timeout(), &Method::GET).0).await;
        return Err(AcceptError::Timeout(options.timeout));
    };
    match decision? {
        Decision::Open(opened) => Ok(*opened),
        Decision::Answer(bytes, outcome) => {
            if site.has_time_to_answer() {
                answer(stream, &bytes, options).await?;
            } else {
                parting_word(stream, &bytes).await;
            }
            Err(outcome)
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
) -> Result<Decision, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (opening, received) = match read_head(stream, options).await? {
        Head::Whole(opening, received) => (*opening, received),
        Head::Faulty(refusal) => {
            return Ok(Decision::Answer(encode_refusal(&refusal), AcceptError::Malformed(refusal)));
        }
    };
    let heard = site.heard(matches!(opening, Opening::Upgrade(_)));
    let mut upgrade = match opening {
        Opening::Upgrade(upgrade) => upgrade,
        Opening::Plain(head) => {
            let method = head.method().clone();
            let (page, params, any_host) = match site.find(head.uri().path()) {
                Some(found) => (Some(found.page), found.params, found.any_host),
                None => (None, Vec::new(), false),
            };
            if !any_host && let Err(refusal) = options.allowed_hosts.check_request(&head) {
                return Ok(Decision::deny(Denied::not_allowed(refusal), &method));
            }
            return Ok(Decision::deny(plain(head, params, peer, page).await, &method));
        }
    };
    if let Err(refusal) = options.allowed_hosts.check_request(upgrade.request()) {
        return Ok(Decision::deny(Denied::not_allowed(refusal), &Method::GET));
    }
    let path = upgrade.request().uri().path();
    let Some(Found { gate: Some(gate), handler, params, admission, .. }) = site.find(path) else {
        return Ok(Decision::deny(Denied::refused(not_found()), &Method::GET));
    };
    if let Err(denied) = heard {
        return Ok(Decision::deny(denied, &Method::GET));
    }
    let mut granted = match decide(&mut upgrade, params, peer, gate, admission).await {
        Ok(granted) => granted,
        Err(denied) => return Ok(Decision::deny(denied, &Method::GET)),
    };
    match upgrade.accept(granted.acceptance()) {
        Ok(response) => {
            stream.write_all(&response).await?;
            stream.flush().await?;
            let Granted { connection, request, permit, .. } = granted;
            let handler = handler.cloned();
            Ok(Decision::Open(Box::new(Opened { connection, request, handler, permit, received })))
        }
        Err(error) => Ok(Decision::deny(Denied::failed(AcceptError::Answer(error)), &Method::GET)),
    }
}

impl Decision {
    fn deny(denied: Denied, method: &Method) -> Self {
        let (bytes, error) = encode_or_500(*denied.response, method);
        Self::Answer(bytes, error.map_or(denied.why, AcceptError::Answer))
    }
}
