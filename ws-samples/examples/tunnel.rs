//! TCP through WebSockets, both ways, where only HTTP gets through. Beside the target:
//!
//! `cargo run -p ws-samples --example tunnel -- exit 127.0.0.1:9001 127.0.0.1:22`
//!
//! and where it is to be reached from; `ssh -p 2222 localhost` then goes through:
//!
//! `cargo run -p ws-samples --example tunnel -- entry 127.0.0.1:2222 ws://127.0.0.1:9001/`
//!
//! Every client of the exit reaches the target: in production it needs TLS and a guard that asks for a token.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use ws_server::{ByteStream, CloseCode, Server, WebSocket, shutdown_signal};

/// Carries TCP connections through WebSockets.
#[derive(Parser)]
#[command(name = "tunnel")]
enum Options {
    /// Takes WebSockets at LISTEN, and connects each to TARGET
    Exit { listen: String, target: String },
    /// Takes TCP connections at LISTEN, and carries each to the exit at URL
    Entry { listen: String, url: String },
}

/// The exit: this WebSocket becomes a TCP connection to `target`.
pub async fn leave(mut socket: WebSocket, target: Arc<str>) -> io::Result<()> {
    match TcpStream::connect(&*target).await {
        Ok(mut stream) => {
            copy_bidirectional(&mut ByteStream::new(socket), &mut stream).await?;
            Ok(())
        }
        Err(error) => {
            socket.close(CloseCode::TRY_AGAIN_LATER, "the target cannot be reached").await?;
            Err(error)
        }
    }
}

/// The entry: each TCP connection becomes a WebSocket to `url`.
pub async fn enter(listener: TcpListener, url: Arc<str>) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let url = url.clone();
        tokio::spawn(async move {
            let carried = async {
                let (socket, _) = ws_client::connect(&*url).await.map_err(io::Error::other)?;
                copy_bidirectional(&mut ByteStream::new(socket), &mut stream).await
            };
            match carried.await {
                Ok((received, sent)) => {
                    println!("a connection is done: {sent} bytes sent, {received} received")
                }
                Err(error) => eprintln!("a connection is lost: {error}"),
            }
        });
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    match options {
        Options::Exit { listen, target } => {
            let target: Arc<str> = target.into();
            let to = target.clone();
            let server = Server::builder().route("/", move |socket| leave(socket, to.clone()));
            let server = server.bind(listen).await?;
            println!("listening on ws://{}/, for {target}", server.local_addr()?);
            server.serve_until(shutdown_signal()).await;
        }
        Options::Entry { listen, url } => {
            let listener = TcpListener::bind(&listen).await.map_err(|error| {
                format!("cannot listen on {listen}: {error}; stop what listens there or give another address")
            })?;
            println!("listening on {}, for {url}", listener.local_addr()?);
            enter(listener, url.into()).await?;
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tunnel: {error}");
            ExitCode::FAILURE
        }
    }
}
