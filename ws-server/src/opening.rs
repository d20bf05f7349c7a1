//! The opening handshake of one connection: a request comes in, a decision comes out.

use std::net::SocketAddr;

use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use ws_core::Connection;
use ws_core::handshake::{Acceptance, Opening, UpgradeRequest};

use crate::admission::{Admission, Permit};
use crate::endpoint::Gate;
use crate::error::AcceptError;
use crate::exchange::{Head, answer, encode_or_500, parting_word, read_head};
use crate::handler::{AnyHandler, AnyPage};
use crate::options::HandshakeOptions;
use crate::panic::caught;
use crate::request::Request;
use crate::response::{
    Response, forbidden_origin, internal_error, not_found, overloaded, request_timeout, upgrade_required,
};

/// Where requests can lead.
pub(crate) trait Site {
    /// What is at a path; `None` when nothing is.
    fn find(&self, path: &str) -> Option<Found<'_>>;
}

/// What is at a path.
pub(crate) struct Found<'a> {
    pub(crate) gate: Option<&'a Gate>,
    pub(crate) handler: Option<&'a AnyHandler>,
    pub(crate) page: Option<&'a AnyPage>,
    pub(crate) params: Vec<(String, String)>,
    /// Whom to ask whether another WebSocket may open.
    pub(crate) admission: Option<&'a Admission>,
}

/// What is known of the client beside its request.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) secure: bool,
    /// The chain it showed, leaf first.
    #[cfg(feature = "tls")]
    pub(crate) certificates: Vec<rustls::pki_types::CertificateDer<'static>>,
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
    client: Client,
    options: &HandshakeOptions,
    deadline: Instant,
) -> Result<Opened, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(decision) = timeout_at(deadline, negotiate(stream, site, client, options)).await else {
        parting_word(stream, &encode_or_500(&request_timeout(), &Method::GET).0).await;
        return Err(AcceptError::Timeout(options.timeout));
    };
    match decision? {
        Decision::Open(opened) => Ok(*opened),
        Decision::Answer(bytes, outcome) => {
            answer(stream, &bytes, options).await?;
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
    client: Client,
    options: &HandshakeOptions,
) -> Result<Decision, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (opening, received) = match read_head(stream, options).await? {
        Head::Whole(opening, received) => (*opening, received),
        Head::Faulty(refusal) => {
            return Ok(Decision::Answer(refusal.encode(), AcceptError::Malformed(refusal.status())));
        }
    };
    let upgrade = match opening {
        Opening::Upgrade(upgrade) => upgrade,
        Opening::Plain(head) => return Ok(plain(head, site, client).await),
    };
    let path = upgrade.request().uri().path();
    let Some(Found { gate: Some(gate), handler, params, admission, .. }) = site.find(path) else {
        return Ok(refuse(&not_found()));
    };
    match decide(&upgrade, params, client, gate, admission).await {
        Ok(Granted { response, connection, request, permit }) => {
            stream.write_all(&response).await?;
            stream.flush().await?;
            let handler = handler.cloned();
            Ok(Decision::Open(Box::new(Opened { connection, request, handler, permit, received })))
        }
        Err(decision) => Ok(decision),
    }
}

/// Answers a request that asks for no WebSocket.
async fn plain(head: http::Request<()>, site: &impl Site, client: Client) -> Decision {
    let method = head.method().clone();
    let response = match site.find(head.uri().path()) {
        Some(Found { page: Some(page), params, .. }) => {
            let mut request = Request::new(head, client);
            request.set_params(params);
            match caught(|| page(request)).await {
                Ok(response) => response,
                Err(panic) => return panicked(panic),
            }
        }
        Some(_) => upgrade_required(),
        None => not_found(),
    };
    let (bytes, status, error) = encode_or_500(&response, &method);
    Decision::Answer(bytes, error.map_or(AcceptError::Plain(status), AcceptError::Answer))
}

/// A request that may become a WebSocket.
struct Granted {
    /// The 101.
    response: Vec<u8>,
    connection: Connection,
    request: Request,
    permit: Option<Permit>,
}

/// Asks origin policy and guards, and makes the 101.
async fn decide(
    upgrade: &UpgradeRequest,
    params: Vec<(String, String)>,
    client: Client,
    gate: &Gate,
    admission: Option<&Admission>,
) -> Result<Granted, Decision> {
    let mut request = Request::new(upgrade.request().clone(), client);
    request.set_params(params);
    // §4.2.2 step 4: the origin is checked before anything is granted.
    if !gate.options.origin.allows(&request) {
        return Err(refuse(&forbidden_origin()));
    }
    // Before the guards: one of them may use up a ticket that is good only once.
    let permit = match admission {
        None => None,
        Some(admission) => match admission.websocket().await {
            Some(permit) => Some(permit),
            None => return Err(refuse(&overloaded(admission.retry_after))),
        },
    };
    let spoken = gate.options.subprotocols.iter().map(String::as_str);
    request.set_offered(upgrade.subprotocols(), upgrade.select_subprotocol(spoken));
    for guard in &gate.guards {
        request = caught(|| guard(request)).await.map_err(panicked)?.map_err(|response| refuse(&response))?;
    }
    let headers = request.take_response_headers();
    let subprotocol = request.subprotocol();
    let (connection, extensions) = agree(upgrade, gate);
    match upgrade.accept(Acceptance { subprotocol, extensions, headers }) {
        Ok(response) => Ok(Granted { response, connection, request, permit }),
        Err(error) => {
            let (bytes, ..) = encode_or_500(&internal_error(), &Method::GET);
            Err(Decision::Answer(bytes, AcceptError::Answer(error)))
        }
    }
}

/// The connection, with the extensions that both sides want, and what to tell the client of them.
fn agree(upgrade: &UpgradeRequest, gate: &Gate) -> (Connection, Option<String>) {
    let connection = Connection::server(gate.connection.clone());
    #[cfg(feature = "deflate")]
    if let Some(config) = &gate.options.deflate {
        use ws_core::deflate::{EXTENSION_NAME, PerMessageDeflate, negotiate};
        let named = upgrade.extensions().iter().filter(|offer| offer.name == EXTENSION_NAME);
        let offers =
            named.map(|offer| offer.parameters.iter().map(|p| (p.name.as_str(), p.value.as_deref())));
        if let Some((agreed, answer)) = negotiate(offers, config) {
            return (connection.with_deflate(PerMessageDeflate::server(agreed, config)), Some(answer));
        }
    }
    let _ = upgrade;
    (connection, None)
}

fn panicked(panic: String) -> Decision {
    Decision::Answer(encode_or_500(&internal_error(), &Method::GET).0, AcceptError::Panicked(panic))
}

fn refuse(response: &Response) -> Decision {
    let (bytes, status, error) = encode_or_500(response, &Method::GET);
    Decision::Answer(bytes, error.map_or(AcceptError::Refused(status), AcceptError::Answer))
}
