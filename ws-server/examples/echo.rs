//! An echo server, and a page to try it with: `cargo run --release -p ws-server --example echo`.

use std::io::Write as _;
use std::process::ExitCode;

use options::Options;
use ws_server::{
    BuildError, Config, Endpoint, Error, HostPolicy, OriginPolicy, Server, Tls, WebSocket, deflate,
};

#[path = "echo/options.rs"]
mod options;

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        // Messages that arrive together are echoed in one write: `feed` leaves writing to the next `recv`.
        socket.feed(message).await?;
    }
    Ok(())
}

async fn server(options: &Options) -> Result<Server, BuildError> {
    let mut config = Config::server();
    config.max_message_size = 16 << 20;
    // The page offers this subprotocol; a client that offers none, or another, is served without one.
    let mut endpoint = Endpoint::new(echo).connection(config).subprotocols(["echo"]);
    if let Some(origin) = &options.origin {
        endpoint = endpoint.origin(OriginPolicy::List(vec![origin.clone()]));
    }
    if options.compress {
        endpoint = endpoint.deflate(deflate::Config::server());
    }
    let mut builder = Server::builder()
        .endpoint("/", endpoint.clone())
        .endpoint("/echo", endpoint)
        .page("/", "text/html; charset=utf-8", concat!(include_str!("page.html"), include_str!("echo.html")))
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(options.listen));
    if let Some((chain, key)) = &options.tls {
        builder = builder.tls(Tls::from_pem_files(chain, key));
    }
    builder.bind(options.listen).await
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let server = server(&options).await?;
    let address = server.local_addr()?;
    let s = if options.tls.is_some() { "s" } else { "" };
    // A closed pipe must not stop the server.
    let _ = writeln!(
        std::io::stdout(),
        "Open http{s}://{address}/ in a browser; the WebSocket is ws{s}://{address}/"
    );
    server.serve_until(ws_server::shutdown_signal()).await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("echo: {error} (--help lists the options)");
            return ExitCode::from(2);
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}
