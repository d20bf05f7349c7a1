//! Sample programs of `ws-server` and `ws-client` that need more than these crates do: an interpreter, other HTTP
//! servers, a maker of certificates. They are a package apart, and so are the tests that need the same, because Cargo
//! builds what one example or test of a package needs for each of its examples: `ws-server` alone stays small.
//!
//! The library is what the samples have in common: how they read their command line, print their address, and end.

mod listen;

pub use listen::listen;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use ws_server::{BuildError, Server, shutdown_signal};

/// Reads the command line; an error in it is reported in one line.
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

/// Reads an address to listen on.
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
    // A closed pipe is no reason to stop.
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

/// The examples of the README compile, and those of the how-tos of `ws-server`, which need the client, run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../ws-server/docs/how-to.md")]
#[doc = include_str!("../../ws-server/docs/embed.md")]
#[doc = include_str!("../../ws-server/docs/migrate.md")]
pub struct Documents;
