//! Asking a proxy for a way through: HTTP CONNECT (RFC 9110 section 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Host;
use ws_core::handshake::{HeadLimits, ResponseReader};

use super::{Credentials, Proxy, Scheme};
use crate::dial::resolve;
use crate::proxy_error::ProxyError;
use crate::stream::Stream;

impl Proxy {
    /// Opens the way to `host` through a stream to this proxy.
    pub(crate) async fn tunnel(
        &self,
        stream: &mut Stream,
        host: Host<&str>,
        port: u16,
    ) -> Result<(), ProxyError> {
        match self.scheme {
            Scheme::Http | Scheme::Https => self.connect(stream, host, port).await,
            Scheme::Socks5 | Scheme::Socks5h => self.socks(stream, host, port).await,
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
        stream.write_all(&request).await?;
        stream.flush().await?;

        let mut received = Vec::new();
        let mut reader = ResponseReader::new(HeadLimits::client());
        let mut interim = 0;
        loop {
            if let Some((response, length)) = reader.receive(&received)? {
                received.drain(..length);
                if response.status().is_informational() && interim < MAX_INTERIM {
                    interim += 1;
                    reader = ResponseReader::new(HeadLimits::client());
                    continue;
                }
                return match response.status() {
                    status if !status.is_success() && status.as_u16() == 407 => {
                        Err(ProxyError::Authentication)
                    }
                    status if !status.is_success() => Err(ProxyError::Refused(status)),
                    // RFC 9110 §9.3.6: any length in a 2xx is ignored; the tunnel begins here, and we speak first.
                    _ if received.is_empty() => Ok(()),
                    _ => Err(ProxyError::Early),
                };
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Err(ProxyError::Io(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    async fn socks(&self, stream: &mut Stream, host: Host<&str>, port: u16) -> Result<(), ProxyError> {
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
        stream.write_all(greeting).await?;
        stream.flush().await?;
        match (read::<2>(stream).await?, credentials) {
            ([5, NO_AUTHENTICATION], _) => {}
            ([5, PASSWORD], Some((username, password))) => {
                // RFC 1929 §2. The lengths were checked when the address was read.
                let mut message = vec![1, length(username)?];
                message.extend_from_slice(username);
                message.push(length(password)?);
                message.extend_from_slice(password);
                stream.write_all(&message).await?;
                stream.flush().await?;
                if read::<2>(stream).await? != [1, 0] {
                    return Err(ProxyError::Authentication);
                }
            }
            ([5, _], _) => return Err(ProxyError::Authentication),
            _ => return Err(ProxyError::NotSocks),
        }

        let mut request = vec![5, CONNECT, 0];
        match self.destination(host, port).await? {
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
        stream.write_all(&request).await?;
        stream.flush().await?;

        // RFC 1928 §6: version, reply, reserved, type of the bound address, the address, a port.
        let [version, reply, _, kind] = read::<4>(stream).await?;
        if version != 5 {
            return Err(ProxyError::NotSocks);
        }
        if reply != 0 {
            return Err(ProxyError::SocksReply(reply));
        }
        let rest = match kind {
            1 => 4 + 2,
            4 => 16 + 2,
            3 => usize::from(read::<1>(stream).await?[0]) + 2,
            _ => return Err(ProxyError::NotSocks),
        };
        stream.read_exact(&mut vec![0; rest]).await?;
        Ok(())
    }

    async fn destination<'h>(&self, host: Host<&'h str>, port: u16) -> Result<Destination<'h>, ProxyError> {
        match (host, self.scheme) {
            (Host::Ipv4(ip), _) => Ok(Destination::Address(ip.into())),
            (Host::Ipv6(ip), _) => Ok(Destination::Address(ip.into())),
            (Host::Domain(name), Scheme::Socks5) => {
                let found = resolve(Host::Domain(name), port).await.map_err(ProxyError::ResolveServer)?;
                match found.first() {
                    Some(address) => Ok(Destination::Address(SocketAddr::ip(address))),
                    None => Err(ProxyError::ResolveServer(std::io::ErrorKind::NotFound.into())),
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

/// Interim responses before the one that counts.
const MAX_INTERIM: usize = 8;
/// RFC 1928 §3.
const NO_AUTHENTICATION: u8 = 0;
/// RFC 1929: user name and password.
const PASSWORD: u8 = 2;
/// RFC 1928 §4.
const CONNECT: u8 = 1;

fn length(bytes: &[u8]) -> Result<u8, ProxyError> {
    u8::try_from(bytes.len()).map_err(|_| ProxyError::NameTooLong)
}

async fn read<const N: usize>(stream: &mut Stream) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
