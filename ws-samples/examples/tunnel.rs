//! TCP through WebSockets, in both directions, where only HTTP is possible. Near the target run:
//!
//! `cargo run -p ws-samples --example tunnel -- exit 127.0.0.1:9001 127.0.0.1:22`
//!
//! and where the clients are, after which `ssh -p 2222 localhost` reaches the target:
//!
//! `cargo run -p ws-samples --example tunnel -- entry 127.0.0.1:2222 ws://127.0.0.1:9001/`
//!
//! Every client of the exit can reach the target: in production the exit needs TLS and a guard that checks a token.

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
    /// Accept WebSockets on LISTEN and connect each to TARGET
    Exit { listen: String, target: String },
    /// Accept TCP connections on LISTEN and connect each to the exit at URL
    Entry { listen: String, url: String },
}

/// The exit: connects a WebSocket to `target`.
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

/// The entry: opens a WebSocket to `url` for each TCP connection.
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
                    println!("a connection has ended: {sent} bytes sent, {received} received")
                }
                Err(error) => eprintln!("a connection failed: {error}"),
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
