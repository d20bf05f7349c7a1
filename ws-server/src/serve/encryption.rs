//! The TLS handshake of an accepted connection.

use std::pin::pin;
use std::sync::Arc;

use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use ws_core::handshake::Refusal;

use crate::config::error::AcceptError;
use crate::hub::handshakes::Progress;
use crate::serve::state::ServerState;
use crate::transport::peer::Peer;
use crate::transport::proxy_header::looks_like_one;
use crate::transport::socket::Socket;
use crate::transport::stream::Stream;
use crate::transport::watched::Watched;
use crate::web::exchange::{UNEXPECTED_PROXY_HEADER, answer, encode_refusal};

/// Does the TLS handshake, if the server has TLS.
pub(crate) async fn encrypt(
    server: &ServerState,
    mut socket: Socket,
    mut peer: Peer,
    deadline: Instant,
    progress: &Arc<Progress>,
) -> Result<(Stream, Peer), AcceptError> {
    let Some(tls) = &server.tls else { return Ok((socket.into(), peer)) };
    let options = &server.hub.options.handshake;
    let late = |_| AcceptError::Timeout(options.timeout);
    if let Some(reason) = timeout_at(deadline, speaks_plain(&socket)).await.map_err(late)? {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, reason);
        // Refused it is, also if the peer is gone.
        let _ = answer(&mut socket, &encode_refusal(&refusal), options).await;
        return Err(AcceptError::Malformed(refusal));
    }
    let socket = Watched { io: socket, progress: Some(progress.clone()) };
    let accepting = pin!(TlsAcceptor::from(tls.config()).accept(socket));
    let mut stream = timeout_at(deadline, accepting).await.map_err(late)?.map_err(AcceptError::Tls)?;
    // From now on what is decrypted counts.
    stream.get_mut().0.progress = None;
    peer.secure = true;
    peer.certificates = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
    Ok((Stream::tls(stream), peer))
}

/// What to answer to what is no TLS: a TLS record begins with 22, the method of an HTTP request with a letter, and a
/// header of the PROXY protocol with its name or with empty lines.
async fn speaks_plain(socket: &Socket) -> Option<&'static str> {
    let mut first = [0; 6];
    match socket {
        Socket::Tcp(socket) => {
            let length = socket.get_ref().peek(&mut first).await.ok()?;
            match first.get(..length)? {
                first if looks_like_one(first) => Some(UNEXPECTED_PROXY_HEADER),
                [byte, ..] if byte.is_ascii_alphabetic() => {
                    Some("This port speaks TLS: use https:// or wss://.")
                }
                _ => None,
            }
        }
        #[cfg(unix)]
        Socket::Unix(_) => None,
    }
}
