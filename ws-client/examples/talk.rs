//! Talks to a WebSocket server from the command line: each line of standard input is sent as a
//! message, each message that comes back is printed.
//!
//! ```text
//! cargo run --release -p ws-client --example talk -- ws://127.0.0.1:9001
//! ```
//!
//! Exit status: 0 after a clean close, 1 when the open connection was lost, 2 for a wrong address or
//! argument, 3 when the server cannot be reached, 4 when it refuses.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use ws_client::{Blame, CloseCode, ConnectError, Message, Options, Proxy, ProxyChoice, Request, WebSocket};

/// Sends the lines of standard input to a WebSocket server and prints its answers. Ends at end of file or Ctrl-C.
#[derive(Parser)]
struct Arguments {
    /// Where to connect: ws://host:port/path or wss://host:port/path
    url: String,
    /// A header field to send, as 'Name: value'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// A subprotocol to offer; may be repeated, the preferred one first
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// Go through this proxy, instead of what the environment names: http://, https://, socks5:// or socks5h://
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Offer to compress messages (permessage-deflate)
    #[cfg(feature = "deflate")]
    #[arg(short, long)]
    compress: bool,
    /// The authorities to trust under wss://, instead of the usual ones: a PEM file
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE")]
    roots: Option<std::path::PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err((status, message)) => {
            eprintln!("talk: {message}");
            ExitCode::from(status)
        }
    }
}

type Failure = (u8, String);

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let options = options(&arguments)?;
    let request = request(&arguments).map_err(unopened)?;
    let client = options.build().map_err(|e| unopened(e.into()))?;
    let (mut ws, response) = client.connect(request).await.map_err(unopened)?;
    let subprotocol = response.headers().get("sec-websocket-protocol").and_then(|name| name.to_str().ok());
    let subprotocol = subprotocol.map(|name| format!(", speaking {name}")).unwrap_or_default();
    let compressing = if ws.connection().is_compressing() { ", compressing" } else { "" };
    eprintln!("connected{subprotocol}{compressing}");
    let lost = |e: ws_client::ws_core::Error| (LOST, e.to_string());

    let mut lines = lines();
    let mut input_ended = false;
    let mut unanswered = 0usize;
    let mut patience = Instant::now();
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            line = lines.recv(), if !input_ended => match line {
                Some(message) => {
                    unanswered += 1;
                    ws.send(message).await.map_err(lost)?;
                }
                None => input_ended = true,
            },
            message = ws.recv() => match message.map_err(lost)? {
                Some(message) => {
                    if print(&message).is_err() {
                        break; // Nobody reads our output any more.
                    }
                    unanswered = unanswered.saturating_sub(1);
                }
                None => return report(&ws),
            },
            () = sleep_until(patience), if input_ended => break,
            _ = &mut interrupt => break,
        }
        // An echo answers each line; other servers may not: wait only as long as answers keep coming.
        patience = Instant::now() + ANSWER_PATIENCE;
        if input_ended && unanswered == 0 {
            break;
        }
    }
    ws.close(CloseCode::NORMAL, "").await.map_err(lost)?;
    report(&ws)
}

/// How long to wait for a further answer after the end of the input.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
/// The exit status when the open connection was lost.
const LOST: u8 = 1;

fn options(arguments: &Arguments) -> Result<Options, Failure> {
    let mut options = Options::default();
    if let Some(url) = &arguments.proxy {
        let proxy = Proxy::new(url).map_err(|e| (2, e.to_string()))?;
        options.proxy = ProxyChoice::Always(proxy);
    }
    #[cfg(feature = "deflate")]
    if !arguments.compress {
        options.deflate = None;
    }
    #[cfg(feature = "tls")]
    if let Some(path) = &arguments.roots {
        let pem = std::fs::read(path).map_err(|e| (2, format!("{}: {e}", path.display())))?;
        options.tls = ws_client::Tls::with_root_pem(&pem).map_err(|e| unopened(e.into()))?;
    }
    Ok(options)
}

fn request(arguments: &Arguments) -> Result<Request, ConnectError> {
    let mut request = Request::new(&arguments.url)?;
    for field in &arguments.headers {
        let (name, value) = field.split_once(':').unwrap_or((field, ""));
        request = request.header(name.trim(), value.trim())?;
    }
    Ok(arguments.subprotocols.iter().fold(request, Request::subprotocol))
}

fn unopened(error: ConnectError) -> Failure {
    let status = match error.blame() {
        Blame::Caller => 2,
        Blame::Server => 4,
        _ => 3,
    };
    let body = error.response().map(|response| String::from_utf8_lossy(response.body()).trim().to_owned());
    match body {
        Some(body) if !body.is_empty() && body.len() <= 200 && !body.contains(char::is_control) => {
            (status, format!("{error} (it says: {body})"))
        }
        _ => (status, error.to_string()),
    }
}

fn report<S>(ws: &WebSocket<S>) -> Result<(), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match ws.close_info() {
        Some(info) if info.is_clean() => {
            eprintln!("{info}");
            Ok(())
        }
        Some(info) => Err((LOST, info.to_string())),
        None => Ok(()),
    }
}

fn print(message: &Message) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match message {
        Message::Text(text) => writeln!(out, "{text}")?,
        Message::Binary(bytes) => writeln!(out, "({} bytes)", bytes.len())?,
    }
    out.flush()
}

/// Standard input, line by line, from a thread of its own: a read of it cannot be called off.
fn lines() -> mpsc::Receiver<Message> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match input.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            for end in [b'\n', b'\r'] {
                if line.last() == Some(&end) {
                    line.pop();
                }
            }
            // Only UTF-8 is text (RFC 6455 section 5.6).
            let message = match String::from_utf8(line) {
                Ok(text) => Message::text(text),
                Err(e) => Message::binary(e.into_bytes()),
            };
            if sender.blocking_send(message).is_err() {
                return;
            }
        }
    });
    receiver
}
