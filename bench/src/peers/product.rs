//! This library's whole server, with the handler of the README.

use anyhow::Result;
use ws_server::{Error, Server, Tls, WebSocket};

use crate::tls;

/// Serves over TLS, HTTP/1.1 and HTTP/2 as the client chooses; `ready` learns the port and the certificate.
pub async fn serve(ready: impl FnOnce(u16, &str) -> Result<()>) -> Result<()> {
    let (certificate, key) = tls::certificate()?;
    let tls = Tls::from_pem(certificate.clone(), key);
    let server = Server::builder().route("/", echo).tls(tls).bind("127.0.0.1:0").await?;
    ready(server.local_addr()?.port(), &certificate)?;
    server.serve().await;
    Ok(())
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
