//! Sample programs of `ws-server` and `ws-client` that need further dependencies: an interpreter, other HTTP servers,
//! a generator of certificates. They and the tests with the same dependencies are a separate package, because Cargo
//! builds the dev-dependencies of a package for each of its examples: those of `ws-server` stay few.
//!
//! The library is what the samples share: parsing the command line, printing the address, and ending.

mod listen;

pub use listen::listen;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use ws_server::{BuildError, Server, shutdown_signal};

/// Parses the command line; reports an error in one line and exits.
pub fn options<O: Parser>() -> Result<O, ExitCode> {
    O::try_parse().map_err(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        eprintln!("{}: {what} (--help lists the options)", O::command().get_name());
        ExitCode::from(2)
    })
}

/// Parses an address to listen on.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write it as address:port, for example 127.0.0.1:9001 or [::1]:0".into())
}

/// Prints a line with the address, then serves until Ctrl-C or SIGTERM.
pub async fn serve(
    name: &str,
    server: Result<Server, BuildError>,
    line: impl FnOnce(SocketAddr) -> String,
) -> ExitCode {
    let address = match server.as_ref().map(Server::local_addr) {
        Ok(Ok(address)) => address,
        Ok(Err(error)) => return failed(name, &error.to_string()),
        Err(error) => return failed(name, &error.to_string()),
    };
    // A closed pipe must not stop the server.
    let _ = writeln!(io::stdout(), "{}", line(address));
    if let Ok(server) = server {
        server.serve_until(shutdown_signal()).await;
    }
    ExitCode::SUCCESS
}

/// Reports an error in one line.
pub fn failed(name: &str, what: &str) -> ExitCode {
    eprintln!("{name}: {what}");
    ExitCode::FAILURE
}

/// Compiles the examples of the README, and runs those of the how-tos of `ws-server` and `ws-topics`, which need the client and axum.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../ws-server/docs/how-to.md")]
#[doc = include_str!("../../ws-server/docs/embed.md")]
#[doc = include_str!("../../ws-server/docs/authenticate.md")]
#[doc = include_str!("../../ws-server/docs/http2.md")]
#[doc = include_str!("../../ws-server/docs/observe.md")]
#[doc = include_str!("../../ws-server/docs/migrate.md")]
#[doc = include_str!("../../ws-server/docs/service.md")]
#[doc = include_str!("../../ws-topics/docs/how-to.md")]
#[cfg_attr(feature = "cluster", doc = include_str!("../../ws-topics/docs/cluster.md"))]
pub struct Documents;
