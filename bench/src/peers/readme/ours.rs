//! This library's whole server, with the handler of the README.

use anyhow::Result;
use ws_server::deflate;
use ws_server::{Endpoint, Error, Server, Tls, WebSocket};

use crate::service::Service;
use crate::tls;

/// Serves; `ready` gets the port, and with TLS the certificate. Over TLS the client chooses HTTP/1.1 or HTTP/2.
pub async fn serve(service: Service, ready: impl FnOnce(u16, &str) -> Result<()>) -> Result<()> {
    let mut server = match service.deflate {
        None => Server::builder().route("/", echo),
        Some(_) => Server::builder().endpoint("/", Endpoint::new(echo).deflate(deflate::Config::server())),
    };
    let mut certificate = String::new();
    if service.tls {
        let (chain, key) = tls::certificate()?;
        server = server.tls(Tls::from_pem(chain.clone(), key));
        certificate = chain;
    }
    let server = server.health("/healthz").bind("127.0.0.1:0").await?;
    ready(server.local_addr()?.port(), &certificate)?;
    server.serve().await;
    Ok(())
}

// The lines of the README, and no others.
include!("echo.rs");

const _: () = assert!(
    contains(include_str!("../../../../README.md"), include_str!("echo.rs")),
    "README.md has another handler than bench/src/peers/readme/echo.rs"
);

/// Whether one text is within the other.
const fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let mut start = 0;
    while start + part.len() <= text.len() {
        let mut length = 0;
        while length < part.len() && text[start + length] == part[length] {
            length += 1;
        }
        if length == part.len() {
            return true;
        }
        start += 1;
    }
    false
}
