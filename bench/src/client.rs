//! The client's end of a connection, without a WebSocket library.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Result, bail};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::load::PATIENCE;
use crate::{streams, tls};

/// Connects and does the opening handshake.
pub fn open(port: u16) -> Result<TcpStream> {
    open_with(port, "")
}

/// The same with further lines in the request, each with its CRLF.
pub fn open_with(port: u16, fields: &str) -> Result<TcpStream> {
    let mut stream = connect(port)?;
    shake_hands(&mut stream, fields)?;
    Ok(stream)
}

/// The same over TLS; over HTTP/2 if that is to have some WebSockets.
pub fn open_tls(
    port: u16,
    config: &Arc<ClientConfig>,
    http2: Option<usize>,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let connection = ClientConnection::new(Arc::clone(config), tls::NAME.try_into()?)?;
    let mut stream = StreamOwned::new(connection, connect(port)?);
    match http2 {
        Some(websockets) => streams::open(&mut stream, websockets)?,
        None => shake_hands(&mut stream, "")?,
    }
    Ok(stream)
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn shake_hands(stream: &mut (impl Read + Write), fields: &str) -> Result<()> {
    stream.write_all(request(fields).as_bytes())?;
    let mut head = Vec::new();
    let mut buffer = [0; 512];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => bail!("the server refused: {}", String::from_utf8_lossy(&head)),
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    if !head.starts_with(b"HTTP/1.1 101 ") {
        bail!("the server refused: {}", String::from_utf8_lossy(&head));
    }
    Ok(())
}

/// The request of an opening handshake.
pub fn request(fields: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
}
