//! A REPL in the browser: `cargo run --release -p ws-samples --example repl`.
//!
//! Evaluates what a user types in the page, with [Rhai](https://rhai.rs). Each connection has separate variables and
//! functions, which are dropped with it.
//!
//! A client that may evaluate code uses this computer, within the limits of `repl/evaluate.rs`. So access is
//! restricted:
//!
//! - The server listens on loopback only; other addresses are refused.
//! - Only its own page may connect (`Origin`). Browsers let any page of the web open a WebSocket to this computer, and
//!   with DNS rebinding a page can even appear to come from here (`HostPolicy`).
//! - The printed URL ends in a token, because other users of this computer can also connect to loopback. The token is in
//!   the fragment, which a browser never sends and which the page removes at once. It opens one connection and is invalid
//!   afterwards, so that it is useless in a history or on a screen. That connection receives a key that opens further
//!   ones, for a reload; the page keeps the key in `sessionStorage`, which belongs to one origin including the port. A
//!   cookie is not suitable, because it is sent to every port of the host.

use std::future::ready;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use ws_server::{Config, Endpoint, Error, HostPolicy, OriginPolicy, Request, Server, WebSocket, response};

use evaluate::{Outcome, Session};

#[path = "repl/evaluate.rs"]
mod evaluate;
/// Evaluates code that a user types in a page on this computer.
#[derive(Parser)]
#[command(name = "repl")]
struct Options {
    /// Address on loopback to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9002", value_parser = loopback)]
    listen: SocketAddr,
}

/// Who may connect.
struct Access {
    /// The token at the end of the printed URL, until it is used.
    token: Mutex<Option<String>>,
    /// The key that the first connection receives, to open further ones.
    key: String,
}

/// What the guard passes to the handler: the key, if the client presented the token.
#[derive(Clone)]
struct Key(String);

impl Access {
    fn new(token: String) -> Result<Self, getrandom::Error> {
        Ok(Self { token: Mutex::new(Some(token)), key: secret()? })
    }

    /// Checks whether a request has the token or the key. A client with the token receives the key.
    fn admits(&self, request: &mut Request) -> bool {
        let shown = request.query_param("key").unwrap_or_default().into_owned();
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if token.as_deref().is_some_and(|token| same(token, &shown)) {
            *token = None;
            request.extensions_mut().insert(Key(self.key.clone()));
            return true;
        }
        same(&self.key, &shown)
    }
}

/// Serves one connection: receives source, sends answers. `places` limits the concurrent evaluations.
async fn repl(mut socket: WebSocket, request: Request, places: Arc<Semaphore>) -> Result<(), Error> {
    if let Some(Key(key)) = request.extensions().get() {
        socket.send(json!({ "key": key }).to_string()).await?;
    }
    drop(request);
    let mut session = Session::new();
    while let Some(message) = socket.recv().await? {
        let Some(source) = message.as_text().map(str::to_owned) else { continue };
        let place = places.acquire().await;
        // Not on the threads of the runtime, because an evaluation would block other connections.
        let evaluated = tokio::task::spawn_blocking(move || {
            let outcome = session.evaluate(&source);
            (session, outcome)
        });
        let outcome = match evaluated.await {
            Ok((kept, outcome)) => {
                session = kept;
                outcome
            }
            Err(_) => {
                session = Session::new();
                Outcome::error("the interpreter failed; all variables were discarded".into())
            }
        };
        drop(place);
        let Outcome { printed, answer, error, incomplete } = outcome;
        let reply = json!({ "printed": printed, "answer": answer, "error": error, "incomplete": incomplete });
        socket.feed(reply.to_string()).await?; // queued: the next `recv` writes it
    }
    Ok(())
}

async fn run(options: Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(options.listen).await.map_err(|e| format!("{}: {e}", options.listen))?;
    let address = listener.local_addr()?;
    let origin = format!("http://{address}");
    let token = secret()?;
    let access = Access::new(token.clone())?;
    let places = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));
    let mut config = Config::server();
    config.max_message_size = 16 << 10;
    let endpoint = Endpoint::new(move |socket, request| repl(socket, request, places.clone()))
        .connection(config)
        .origin(OriginPolicy::List(vec![origin]))
        .guard(move |mut request| {
            let refusal = || {
                response::text(StatusCode::FORBIDDEN, "Open the URL that the server printed. It works once; restart the server to get a new one.")
            };
            ready(if access.admits(&mut request) { Ok(request) } else { Err(refusal()) })
        });
    let mut limits = ws_server::ServerOptions::default();
    limits.max_connections = Some(32);
    let server = Server::builder()
        .options(limits)
        .endpoint("/repl", endpoint)
        .page(
            "/",
            "text/html; charset=utf-8",
            concat!(include_str!("../../ws-server/examples/page.html"), include_str!("repl.html")),
        )
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(address))
        .listener(listener)
        .build()?;
    Ok(ws_samples::serve("repl", Ok(server), |at| {
        format!("Open http://{at}/#{token} in a browser; Ctrl-C ends it.")
    })
    .await)
}

fn main() -> ExitCode {
    let options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    // The interpreter is recursive; its limits ensure that this stack is enough.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(evaluate::STACK).build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(options))) {
        Ok(code) => code,
        Err(error) => ws_samples::failed("repl", &error.to_string()),
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = ws_samples::address(text)?;
    let refused =
        "it must be a loopback address, 127.0.0.1 or [::1]: clients that can connect may run code here";
    address.ip().is_loopback().then_some(address).ok_or_else(|| refused.into())
}

/// Returns 128 random bits in hex.
fn secret() -> Result<String, getrandom::Error> {
    Ok(format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?))
}

/// Compares two secrets in constant time.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
