//! An echo server, and a page to try it with: `cargo run --release -p ws-server --example echo`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ws_server::{Config, Endpoint, Error, HostPolicy, Server, Tls, WebSocket, deflate};

mod sample;

/// Sends back what it receives; a page to try it with is at the same address.
#[derive(Parser)]
#[command(name = "echo")]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001", value_parser = sample::address)]
    listen: SocketAddr,
    /// Compress messages (permessage-deflate) for clients that offer it
    #[arg(long)]
    compress: bool,
    /// Speak TLS, with this certificate chain and its key (PEM files)
    #[arg(long, num_args = 2, value_names = ["CHAIN", "KEY"])]
    tls: Option<Vec<PathBuf>>,
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        // What arrived in one piece goes back in one write: `feed` leaves writing to the next `recv`.
        socket.feed(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match sample::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut config = Config::server();
    config.max_message_size = 16 << 20;
    // The page asks for this subprotocol; a client that asks for none, or another, is served without.
    let mut endpoint = Endpoint::new(echo).connection(config).subprotocols(["echo"]);
    if options.compress {
        endpoint = endpoint.deflate(deflate::Config::server());
    }
    let mut builder = Server::builder()
        .endpoint("/", endpoint.clone())
        .endpoint("/echo", endpoint)
        .page("/", "text/html; charset=utf-8", include_str!("echo.html"))
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(options.listen));
    let mut s = "";
    if let Some([chain, key]) = options.tls.as_deref() {
        builder = builder.tls(Tls::from_files(chain, key));
        s = "s";
    }
    let line =
        |address| format!("Open http{s}://{address}/ in a browser; the WebSocket is ws{s}://{address}/");
    sample::serve("echo", builder.bind(options.listen).await, line).await
}
