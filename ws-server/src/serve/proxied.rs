//! Reads the header that a trusted proxy writes before a connection.

use std::io;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};
use ws_core::handshake::Refusal;

use crate::config::error::AcceptError;
use crate::hub::handshakes::HandshakeSeat;
use crate::serve::state::ServerState;
use crate::transport::peer::Peer;
use crate::transport::proxy_header::{Parsed, ProxyHeader, ProxyHeaderError, parse};
use crate::transport::socket::Socket;
use crate::transport::source::Source;
use crate::web::exchange::{answer, encode_refusal};

/// Reads the header of the PROXY protocol: from now on the connection is its client's, and the seat of the handshake
/// too.
pub(crate) async fn learn_client(
    server: &ServerState,
    socket: &mut Socket,
    peer: &mut Peer,
    seat: &HandshakeSeat,
    deadline: Instant,
) -> Result<(), AcceptError> {
    let options = &server.hub.options.handshake;
    let Ok(read) = timeout_at(deadline, read_header(socket)).await else {
        return Err(AcceptError::ProxyTimeout(options.proxies.proxy_protocol_timeout));
    };
    let header = match read? {
        Ok(header) => header,
        Err(error) => {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, &expected(error));
            // Refused it is, also if the peer is gone.
            let _ = answer(socket, &encode_refusal(&refusal), options).await;
            return Err(AcceptError::Malformed(refusal));
        }
    };
    match header {
        ProxyHeader::Client(client) => {
            peer.client = Some(client);
            seat.belongs_to(Source::of(peer.client));
            if !options.proxies.believes_fields_of(peer.client) {
                tracing::Span::current().record("client", tracing::field::display(client));
            }
        }
        // The connection is the proxy's own, or what it knows of the client is no address.
        ProxyHeader::Local | ProxyHeader::Unknown => {}
    }
    Ok(())
}

/// Reads a header and nothing beyond it.
async fn read_header<S>(stream: &mut S) -> io::Result<Result<ProxyHeader, ProxyHeaderError>>
where
    S: AsyncRead + Unpin,
{
    let mut received = Vec::new();
    loop {
        match parse(&received) {
            Ok(Parsed::More(more)) => {
                if (&mut *stream).take(more as u64).read_buf(&mut received).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok(Parsed::Whole(header, _)) => return Ok(Ok(header)),
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn expected(error: ProxyHeaderError) -> String {
    format!(
        "A header of the PROXY protocol is expected before the request, and {error}: the setting handshake.proxies has \
         proxy_protocol, and the address of this peer is in trusted. Turn it on in the load balancer (haproxy: send-proxy; \
         nginx: proxy_protocol), or take the address off trusted."
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn nothing_behind_a_header_of_the_proxy_protocol_is_taken() {
        let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb";
        for header in [&b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"[..], binary] {
            for chunk in [1, 3, 1000] {
                let (mut near, mut far) = tokio::io::duplex(chunk);
                let bytes = [header, b"rest"].concat();
                tokio::spawn(async move { far.write_all(&bytes).await });
                let read = read_header(&mut near).await.unwrap();
                assert_eq!(read, Ok(ProxyHeader::Client("192.0.2.1:56324".parse().unwrap())));
                let mut rest = Vec::new();
                near.read_to_end(&mut rest).await.unwrap();
                assert_eq!(rest, b"rest");
            }
        }
    }
}
