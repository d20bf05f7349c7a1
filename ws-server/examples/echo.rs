//! An echo server, and a page to try it with: `cargo run --release -p ws-server --example echo`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ws_server::{Config, Endpoint, Error, Server, Tls, WebSocket, deflate};

/// Sends back what it receives; a page to try it with is at the same address.
#[derive(Parser)]
#[command(name = "echo")]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001", value_parser = address)]
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
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            let text = error.to_string();
            let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            eprintln!("echo: {what} (--help lists what can be given)");
            return ExitCode::from(2);
        }
    };
    let mut config = Config::server();
    config.max_message_size = 16 << 20;
    let mut endpoint = Endpoint::new(echo).connection(config);
    if options.compress {
        endpoint = endpoint.deflate(deflate::Config::server());
    }
    let mut builder = Server::builder()
        .endpoint("/", endpoint.clone())
        .endpoint("/echo", endpoint)
        .page("/", "text/html; charset=utf-8", include_str!("echo.html"))
        .health("/healthz");
    let mut s = "";
    if let Some([chain, key]) = options.tls.as_deref() {
        builder = builder.tls(Tls::from_files(chain, key));
        s = "s";
    }
    let server = match builder.bind(options.listen).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("echo: {error}");
            return ExitCode::FAILURE;
        }
    };
    match server.local_addr() {
        Ok(address) => {
            println!("Open http{s}://{address}/ in a browser; the WebSocket is ws{s}://{address}/")
        }
        Err(error) => eprintln!("echo: {error}"),
    }
    server.serve_until(tokio::signal::ctrl_c()).await;
    ExitCode::SUCCESS
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write it as address:port, for example 127.0.0.1:9001 or [::1]:0".into())
}
