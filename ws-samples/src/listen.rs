//! The listener of the samples that do not use `ws_server::Server`.

use std::net::SocketAddr;

use clap::Parser;
use tokio::net::TcpListener;

#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
}

/// Listens on the address of the command line. Reports an error in one line and exits.
pub async fn listen(name: &str) -> TcpListener {
    let address = Options::parse().listen;
    TcpListener::bind(address).await.unwrap_or_else(|error| {
        eprintln!("{name}: cannot listen on {address}: {error}; stop what listens there or give another --listen ADDR");
        std::process::exit(1)
    })
}
