//! The listener of the samples that bring one themselves.

use std::net::SocketAddr;

use clap::Parser;
use tokio::net::TcpListener;

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
}

/// Listens where the command line says. An address in use is reported in one line, and ends the program.
pub async fn listen(name: &str) -> TcpListener {
    let address = Options::parse().listen;
    TcpListener::bind(address).await.unwrap_or_else(|error| {
        eprintln!("{name}: cannot listen on {address}: {error}; stop what listens there or give another --listen ADDR");
        std::process::exit(1)
    })
}
