//! The TLS handshake of an accepted connection.

use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use ws_core::handshake::Refusal;

use crate::client::Client;
use crate::error::AcceptError;
use crate::exchange::answer;
use crate::shared::Shared;
use crate::stream::{Socket, Stream};

/// Does the TLS handshake, if the server has TLS.
pub(crate) async fn encrypt(
    server: &Shared,
    mut socket: Socket,
    mut client: Client,
    deadline: Instant,
) -> Result<(Stream, Client), AcceptError> {
    let Some(tls) = &server.tls else { return Ok((socket.into(), client)) };
    let options = &server.options.handshake;
    let late = |_| AcceptError::Timeout(options.timeout);
    if timeout_at(deadline, speaks_http(&socket)).await.map_err(late)? {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "This port speaks TLS: use https:// or wss://.");
        answer(&mut socket, &refusal.encode(), options).await?;
        return Err(AcceptError::Malformed(refusal));
    }
    let accepting = TlsAcceptor::from(tls.config()).accept(socket);
    let stream = timeout_at(deadline, accepting).await.map_err(late)?.map_err(AcceptError::Tls)?;
    client.secure = true;
    client.certificates = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
    Ok((stream.into(), client))
}

/// Whether the first byte is the letter of an HTTP method; a TLS record begins with 22.
async fn speaks_http(socket: &Socket) -> bool {
    let mut first = [0];
    match socket {
        Socket::Tcp(socket) => {
            matches!(socket.peek(&mut first).await, Ok(1)) && first[0].is_ascii_alphabetic()
        }
        #[cfg(unix)]
        Socket::Unix(_) => false,
    }
}
