//! The server of the scripts in `interop/` that need more than the sample `echo`: handlers whose bytes can be counted
//! at the other end, and that close while much is still to be written.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ws_server::{CloseCode, Config, Endpoint, Error, Server, Tls, WebSocket};

/// Answers on /echo, /ack, /burst (20 messages of 100 KB, then the handler returns) and /burst/close (then it closes).
#[derive(Parser)]
#[command(name = "interop_server")]
struct Options {
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001", value_parser = ws_samples::address)]
    listen: SocketAddr,
    /// Use TLS with this certificate chain and its key (PEM files)
    #[arg(long, num_args = 2, value_names = ["CHAIN", "KEY"])]
    tls: Option<Vec<PathBuf>>,
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?; // queued: the next `recv` writes it
    }
    Ok(())
}

/// Answers each message with its number and length.
async fn ack(mut socket: WebSocket) -> Result<(), Error> {
    let mut number = 0u32;
    while let Some(message) = socket.recv().await? {
        number += 1;
        socket.feed(format!("ack {number} {}", message.len())).await?;
    }
    Ok(())
}

/// Sends and returns: everything sent must arrive before the Close.
async fn burst(mut socket: WebSocket) -> Result<(), Error> {
    send_burst(&mut socket).await
}

/// The same, but the handler closes the connection and prints how it ended.
async fn burst_and_close(mut socket: WebSocket) -> Result<(), Error> {
    let sent = send_burst(&mut socket).await;
    println!("{}", socket.close(CloseCode::NORMAL_CLOSURE, "").await?);
    sent
}

async fn send_burst(socket: &mut WebSocket) -> Result<(), Error> {
    for number in 0..20u8 {
        // Each message repeats a different letter, so that it is text of this length.
        let letter = char::from(b'a' + number);
        socket.send(letter.to_string().repeat(100_000)).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut config = Config::server();
    config.max_message_size = 16 << 20;
    let mut builder = Server::builder()
        .endpoint("/echo", Endpoint::new(echo).connection(config.clone()))
        .endpoint("/ack", Endpoint::new(ack).connection(config.clone()))
        .endpoint("/burst", Endpoint::new(burst).connection(config.clone()))
        .endpoint("/burst/close", Endpoint::new(burst_and_close).connection(config));
    let mut scheme = "ws";
    if let Some([chain, key]) = options.tls.as_deref() {
        builder = builder.tls(Tls::from_pem_files(chain, key));
        scheme = "wss";
    }
    let line = |address| format!("listening on {scheme}://{address}");
    ws_samples::serve("interop_server", builder.bind(options.listen).await, line).await
}
