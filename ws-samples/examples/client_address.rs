//! Reports the addresses of clients behind a proxy: a WebSocket at `/`, a page at `/`, and what the log says at `/log`.
//! `cargo run -p ws-samples --example client_address -- LISTEN NETWORKS (proxy-protocol | x-forwarded | forwarded | none)
//! [CHAIN KEY]`. `interop/55-client-addresses.sh` runs it behind haproxy and nginx.

use std::process::ExitCode;

use http::StatusCode;
use ws_server::{ForwardedFields, ProxyOptions, Request, Response, Server, Tls, WebSocket, response};

/// Keeps what is logged, as a program would send it elsewhere.
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "the tests use the rest")]
#[path = "../../ws-server/tests/common/log.rs"]
mod log;

fn report(request: &Request) -> String {
    let client = request.client_addr().map_or("unknown".to_owned(), |address| address.ip().to_string());
    let host = request.forwarded_host().unwrap_or("-");
    format!("client {client} secure {} host {host}", request.is_client_secure())
}

// One thread, whose log is kept.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client_address: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
    let [listen, networks, how, tls @ ..] = arguments.as_slice() else {
        return Err("usage: client_address LISTEN NETWORKS HOW [CHAIN KEY]".into());
    };
    let proxies = ProxyOptions::default().trusted(networks.parse()?);
    let proxies = match how.as_str() {
        "proxy-protocol" => proxies.proxy_protocol(true),
        "x-forwarded" => proxies.fields(ForwardedFields::XForwarded),
        "forwarded" => proxies.fields(ForwardedFields::Forwarded),
        "none" => proxies,
        other => {
            return Err(format!("{other}: it must be proxy-protocol, x-forwarded, forwarded or none").into());
        }
    };
    let (log, _guard) = log::logged();
    let mut builder = Server::builder()
        .route("/", async |mut socket: WebSocket, request: Request| socket.send(report(&request)).await)
        .get("/", async |request: Request| -> Response { response::text(StatusCode::OK, &report(&request)) })
        .get("/log", move |_| std::future::ready(response::text(StatusCode::OK, &log.text())))
        .health("/healthz")
        .proxies(proxies);
    if let [chain, key] = tls {
        builder = builder.tls(Tls::from_pem_files(chain, key));
    }
    let server = builder.bind(listen.as_str()).await?;
    let scheme = if tls.is_empty() { "ws" } else { "wss" };
    println!("listening on {scheme}://{}", server.local_addr()?);
    server.serve().await;
    Ok(())
}
