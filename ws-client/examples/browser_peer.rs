//! The server of the tests in a browser, `interop/80-wasm-browser.sh`: see `tests/browser/peer.rs`.

use std::io::Write as _;

use tokio::net::TcpListener;

#[path = "../tests/browser/peer.rs"]
mod peer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "ws://{}", listener.local_addr()?)?;
    peer::serve(listener).await;
    Ok(())
}
