//! What becomes of a request, whoever has read it and will write the answer.

use std::mem;

use http::HeaderMap;
use ws_core::Connection;
use ws_core::handshake::{Acceptance, RequestHead, UpgradeRequest};

use crate::config::error::AcceptError;
use crate::hub::admission::{Admission, OpenPermit};
use crate::opening::endpoint::Gate;
use crate::transport::peer::Peer;
use crate::transport::source::Source;
use crate::web::denied::Denied;
use crate::web::handler::AnyPage;
use crate::web::panic::caught;
use crate::web::request::Request;
use crate::web::response::{not_found, upgrade_required};

/// A request that may become a WebSocket.
pub(crate) struct Granted {
    pub(crate) connection: Connection,
    pub(crate) request: Request,
    pub(crate) permit: Option<OpenPermit>,
    extensions: Option<String>,
    headers: HeaderMap,
}

impl Granted {
    /// What the 101 is made of; once.
    pub(crate) fn acceptance(&mut self) -> Acceptance<'_> {
        Acceptance::default()
            .subprotocol(self.request.subprotocol())
            .extensions(self.extensions.take())
            .headers(mem::take(&mut self.headers))
    }
}

/// Asks origin policy and guards, and agrees on extensions.
pub(crate) async fn decide(
    upgrade: &mut UpgradeRequest,
    params: Vec<(String, String)>,
    peer: Peer,
    gate: &Gate,
    admission: Option<&Admission>,
) -> Result<Granted, Denied> {
    let source = Source::of(peer.client);
    let mut request = Request::new(upgrade.take_request(), peer);
    request.set_params(params);
    // §4.2.2 step 4: the origin is checked before anything is granted.
    gate.options.origin.check_request(&request).map_err(Denied::not_allowed)?;
    // Asked before the guards, as one of them may use up a ticket that is good only once; taken after them, so that
    // requests that are refused keep nobody out.
    if let Some(admission) = admission {
        admission.room(source).await?;
    }
    let spoken = gate.options.subprotocols.iter().map(String::as_str);
    request.set_offered(upgrade.subprotocols(), upgrade.select_subprotocol(spoken));
    let guarded = async {
        for guard in &gate.guards {
            request = caught(|| guard(request)).await.map_err(Denied::panicked)?.map_err(Denied::refused)?;
        }
        Ok(request)
    };
    let (mut request, permit) = match admission {
        None => (guarded.await?, None),
        Some(admission) => {
            let request = admission.unless_closing(guarded).await??;
            (request, Some(admission.websocket(source).await?))
        }
    };
    let headers = request.take_response_headers();
    let (connection, extensions) = agree(upgrade, gate);
    Ok(Granted { connection, request, permit, extensions, headers })
}

/// Answers a request that asks for no WebSocket. `page` is what is there: `None` for nothing, `Some(None)` for an
/// endpoint alone.
pub(crate) async fn plain(
    head: RequestHead,
    params: Vec<(String, String)>,
    peer: Peer,
    page: Option<Option<&AnyPage>>,
) -> Denied {
    let response = match page {
        Some(Some(page)) => {
            let mut request = Request::new(head, peer);
            request.set_params(params);
            match caught(|| page(request)).await {
                Ok(response) => response,
                Err(panic) => return Denied::panicked(panic),
            }
        }
        Some(None) => upgrade_required(peer.is_client_secure()),
        None => not_found(),
    };
    Denied { why: AcceptError::Plain(response.status()), response: Box::new(response) }
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
