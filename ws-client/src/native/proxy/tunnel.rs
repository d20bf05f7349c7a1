//! A tunnel through a proxy: HTTP CONNECT (RFC 9110 section 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;

use http::StatusCode;
use http::header::PROXY_AUTHENTICATE;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use ws_core::handshake::{HeadLimits, MAX_INTERIM_RESPONSES, ResponseReader};

use super::{Credentials, Proxy, Scheme};
use crate::address::Host;
use crate::challenge::schemes;
use crate::proxy_error::ProxyError;
use crate::resolver::{Resolver, resolve};
use crate::stream::Stream;

impl Proxy {
    /// Opens a tunnel to `host` on a stream to this proxy.
    pub(crate) async fn tunnel(
        &self,
        stream: &mut Stream,
        host: Host<&str>,
        port: u16,
        resolver: Option<&dyn Resolver>,
    ) -> Result<(), ProxyError> {
        match self.scheme {
            Scheme::Http | Scheme::Https => self.connect(stream, host, port).await,
            Scheme::Socks5 | Scheme::Socks5h => self.socks(stream, host, port, resolver).await,
        }
    }

    async fn connect(&self, stream: &mut Stream, host: Host<&str>, port: u16) -> Result<(), ProxyError> {
        // RFC 9112 §3.2.3: authority-form.
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
        if let Some(Credentials::Basic(value)) = &self.credentials {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        ask(stream, &request).await?;

        let mut received = Vec::new();
        let mut reader = ResponseReader::new(HeadLimits::client());
        let mut interim = 0;
        loop {
            if let Some((response, length)) = reader.receive(&received)? {
                received.drain(..length);
                return match response.status() {
                    // RFC 9110 §9.3.6: any length in a 2xx is ignored; the tunnel begins here, and we speak first.
                    status if status.is_success() && received.is_empty() => Ok(()),
                    status if status.is_success() => Err(ProxyError::Early),
                    StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                        let schemes = schemes(response.headers(), PROXY_AUTHENTICATE);
                        Err(match &self.credentials {
                            Some(_) => ProxyError::CredentialsRefused { schemes },
                            None => ProxyError::Authentication { schemes },
                        })
                    }
                    // RFC 9110 §15.2: interim responses are passed over, but a 101 answers an Upgrade only (§15.2.2).
                    status if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS => {
                        if interim >= MAX_INTERIM_RESPONSES {
                            return Err(ProxyError::TooManyInterim { limit: MAX_INTERIM_RESPONSES });
                        }
                        interim += 1;
                        reader = ResponseReader::new(HeadLimits::client());
                        continue;
                    }
                    status => Err(ProxyError::Refused(status)),
                };
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Err(unexpected_end());
            }
        }
    }

    async fn socks(
        &self,
        stream: &mut Stream,
        host: Host<&str>,
        port: u16,
        resolver: Option<&dyn Resolver>,
    ) -> Result<(), ProxyError> {
        let credentials = match &self.credentials {
            Some(Credentials::Socks { username, password }) => Some((username, password)),
            _ => None,
        };
        // RFC 1928 §3: version, number of methods, methods.
        let greeting: &[u8] = if credentials.is_some() {
            &[5, 2, NO_AUTHENTICATION, PASSWORD]
        } else {
            &[5, 1, NO_AUTHENTICATION]
        };
        ask(stream, greeting).await?;
        let method = answer(stream, 5, |_| Ok(Some(2))).await?;
        match (method.get(1), credentials) {
            (Some(&NO_AUTHENTICATION), _) => {}
            (Some(&PASSWORD), Some((username, password))) => {
                // RFC 1929 §2. The lengths were checked when the address was read.
                let mut message = vec![1, length(username)?];
                message.extend_from_slice(username);
                message.push(length(password)?);
                message.extend_from_slice(password);
                ask(stream, &message).await?;
                // RFC 1929 §2: any status but 0 is a failure, and the connection cannot be used any more.
                if answer(stream, 1, |_| Ok(Some(2))).await?.get(1) != Some(&0) {
                    return Err(ProxyError::CredentialsRefused { schemes: Vec::new() });
                }
            }
            (_, Some(_)) => return Err(ProxyError::NoMethod),
            (_, None) => return Err(ProxyError::Authentication { schemes: Vec::new() }),
        }

        let mut request = vec![5, CONNECT, 0];
        match self.destination(host, port, resolver).await? {
            Destination::Name(name) => {
                request.extend_from_slice(&[3, length(name.as_bytes())?]);
                request.extend_from_slice(name.as_bytes());
            }
            Destination::Address(IpAddr::V4(ip)) => {
                request.push(1);
                request.extend_from_slice(&ip.octets());
            }
            Destination::Address(IpAddr::V6(ip)) => {
                request.push(4);
                request.extend_from_slice(&ip.octets());
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        ask(stream, &request).await?;
        answer(stream, 5, reply_length).await?;
        Ok(())
    }

    async fn destination<'h>(
        &self,
        host: Host<&'h str>,
        port: u16,
        resolver: Option<&dyn Resolver>,
    ) -> Result<Destination<'h>, ProxyError> {
        match (host, self.scheme) {
            (Host::Ipv4(ip), _) => Ok(Destination::Address(ip.into())),
            (Host::Ipv6(ip), _) => Ok(Destination::Address(ip.into())),
            (Host::Domain(name), Scheme::Socks5) => {
                let found =
                    resolve(resolver, Host::Domain(name), port).await.map_err(ProxyError::ResolveServer)?;
                match found.first() {
                    Some(address) => Ok(Destination::Address(SocketAddr::ip(address))),
                    None => Err(ProxyError::ResolveServer(io::ErrorKind::NotFound.into())),
                }
            }
            (Host::Domain(name), _) => Ok(Destination::Name(name)),
        }
    }
}

enum Destination<'h> {
    Address(IpAddr),
    Name(&'h str),
}

/// RFC 1928 §3.
const NO_AUTHENTICATION: u8 = 0;
/// RFC 1929: user name and password.
const PASSWORD: u8 = 2;
/// RFC 1928 §4.
const CONNECT: u8 = 1;

fn length(bytes: &[u8]) -> Result<u8, ProxyError> {
    u8::try_from(bytes.len()).map_err(|_| ProxyError::NameTooLong)
}

/// Sends a request, unless bytes have arrived already: they would be read as its answer.
async fn ask(stream: &mut Stream, request: &[u8]) -> Result<(), ProxyError> {
    let mut byte = [0; 1];
    let mut early = ReadBuf::new(&mut byte);
    // The runtime has to learn from the system what has arrived. The stream is polled only once: no bytes may come, so
    // waiting for them would never end.
    tokio::task::yield_now().await;
    let read = poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_read(cx, &mut early))).await;
    match read {
        Poll::Pending => {}
        Poll::Ready(Ok(())) if early.filled().is_empty() => return Err(unexpected_end()),
        Poll::Ready(Ok(())) => return Err(ProxyError::Early),
        Poll::Ready(Err(error)) => return Err(error.into()),
    }
    stream.write_all(request).await?;
    stream.flush().await?;
    Ok(())
}

/// Reads one answer of this version of the protocol, and nothing after it: bytes that follow are unsolicited.
/// `length` returns its length, or `None` if more bytes are needed.
async fn answer(
    stream: &mut Stream,
    version: u8,
    length: impl Fn(&[u8]) -> Result<Option<usize>, ProxyError>,
) -> Result<Vec<u8>, ProxyError> {
    let mut received = Vec::new();
    loop {
        // An answer is at most 262 bytes long, so that this is what bounds `received`.
        if stream.read_buf(&mut received).await? == 0 {
            return Err(unexpected_end());
        }
        if received.first() != Some(&version) {
            return Err(ProxyError::NotSocks);
        }
        match length(&received)? {
            Some(length) if received.len() == length => return Ok(received),
            Some(length) if received.len() > length => return Err(ProxyError::Early),
            _ => {}
        }
    }
}

/// RFC 1928 §6: version, reply, reserved, type of the bound address, the address, a port.
fn reply_length(received: &[u8]) -> Result<Option<usize>, ProxyError> {
    match *received {
        // The rest of a failure is not needed.
        [_, reply, ..] if reply != 0 => Err(ProxyError::SocksReply(reply)),
        [_, _, _, 1, ..] => Ok(Some(4 + 4 + 2)),
        [_, _, _, 4, ..] => Ok(Some(4 + 16 + 2)),
        [_, _, _, 3, name, ..] => Ok(Some(4 + 1 + usize::from(name) + 2)),
        [_, _, _, 3] => Ok(None),
        [_, _, _, _, ..] => Err(ProxyError::NotSocks),
        _ => Ok(None),
    }
}

fn unexpected_end() -> ProxyError {
    ProxyError::Io(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests;
