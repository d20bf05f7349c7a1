//! A server process: one implementation on one core, until its standard input ends.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::peer::Peer;
use crate::peers::{self, Socket};
use crate::service::{Service, Task};
use crate::{machine, tls};

pub fn run(service: Service) -> Result<()> {
    machine::pin(match service.workers {
        1 => &[machine::SERVER_CORE],
        _ => &[machine::SERVER_CORE, machine::LOAD_CORE],
    })?;
    machine::raise_file_limit()?;
    // Whoever started this process ends it, by closing the pipe or by ending itself.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    if service.peer == Peer::OursEventLoop {
        if service.tls || service.task != Task::Echo || service.deflate.is_some() {
            bail!("the event loop echoes over TCP, without compression");
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        println!("{}", listener.local_addr()?.port());
        std::io::stdout().flush()?;
        return Ok(peers::event_loop::serve(listener)?);
    }
    let runtime = match service.workers {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        workers => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?
        }
    };
    let ready = |port: u16, certificate: &str| {
        println!("{port}");
        print!("{certificate}");
        Ok(std::io::stdout().flush()?)
    };
    if service.task == Task::Readme {
        return runtime.block_on(peers::readme::serve(service, ready));
    }
    let acceptor = service.tls.then(|| tls::acceptor(service.peer.speaks_http2()));
    let (acceptor, certificate) = acceptor.transpose()?.unzip();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ready(listener.local_addr()?.port(), &certificate.unwrap_or_default())?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            match service.task {
                // Boxed, so that what the handshake needs does not stay in the connection's future.
                Task::Echo => match acceptor.clone() {
                    None => drop(tokio::spawn(async move {
                        peers::echo(Box::pin(shake_hands(stream)).await?, service).await
                    })),
                    Some(acceptor) if service.peer.speaks_http2() => drop(tokio::spawn(async move {
                        let stream = Box::pin(acceptor.accept(stream)).await?;
                        peers::echo_http2(stream, service).await
                    })),
                    Some(acceptor) => drop(tokio::spawn(async move {
                        let stream = Box::pin(acceptor.accept(stream)).await?;
                        peers::echo(Box::pin(shake_hands(stream)).await?, service).await
                    })),
                },
                Task::Handshake => drop(tokio::spawn(peers::shake_hands(stream, service.peer))),
                Task::Broadcast => drop(tokio::spawn(async move {
                    peers::broadcast(Box::pin(shake_hands(stream)).await?, service).await
                })),
                Task::Readme => bail!("the server of a README listens for itself"),
            }
        }
    })
}

/// The least opening handshake, the same for all: what is measured comes after it.
pub async fn shake_hands<S: Socket>(mut stream: S) -> Result<S> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > 4096 {
            bail!("not a request");
        }
    }
    let head = String::from_utf8(head)?;
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .context("a request without a key")?;
    let accept = ws_core::handshake::accept_key(key.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.flush().await?;
    Ok(stream)
}
