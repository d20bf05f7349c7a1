//! A server with a self-signed certificate, and a client that trusts it:
//! `cargo run -p ws-samples --example tls`.
//!
//! In production the certificate comes from an authority that clients already trust: the server then uses
//! `Tls::from_pem_files("chain.pem", "key.pem")`, and the client needs no setting.

use std::error::Error;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use ws_client::Options;
use ws_server::{CloseCode, CloseInfo, Message, Server, Tls, WebSocket};

async fn echo(mut socket: WebSocket) -> Result<(), ws_server::Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

/// Serves with `tls` on a free port and returns the URL.
pub async fn serve(tls: Tls) -> Result<String, Box<dyn Error>> {
    let server = Server::builder().route("/", echo).tls(tls).bind("127.0.0.1:0").await?;
    let url = format!("wss://localhost:{}/", server.local_addr()?.port());
    tokio::spawn(server.serve());
    Ok(url)
}

/// Sends a message to `url` and waits for the echo.
pub async fn talk(url: &str, tls: ws_client::Tls) -> Result<(Option<Message>, CloseInfo), Box<dyn Error>> {
    let mut options = Options::default();
    options.tls = tls;
    let (mut socket, _) = options.build()?.connect(url).await?;
    socket.send("this message is encrypted").await?;
    let echo = socket.recv().await?;
    Ok((echo, socket.close(CloseCode::NORMAL_CLOSURE, "").await?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    let url = serve(Tls::from_pem(cert.pem(), signing_key.serialize_pem())).await?;
    let (echo, info) = talk(&url, ws_client::Tls::from_root_pem(cert.pem().as_bytes())?).await?;
    println!("{url} answered {echo:?}, {info}");
    Ok(())
}
