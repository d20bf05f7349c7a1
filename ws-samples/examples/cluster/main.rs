//! One board on three servers, which NATS or Redis connects: `cargo run -p ws-samples --features cluster --example cluster`.
//!
//! It starts `nats-server` or `redis-server` if one is installed, three server processes, and prints the addresses of their pages. Open two of
//! them, and stop a server or NATS to see what happens. `--backplane URL` takes a server that runs already.
//!
//! `cluster judge` kills and cuts everything once while messages are published at a steady rate, and counts what was lost;
//! `cluster speed` measures. `interop/85-topics.sh` runs the former.

mod backplane;
mod judge;
mod observer;
mod proxy;
mod serve;
mod speed;

use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};

use clap::{Args, Parser, Subcommand};
use tokio::process::{Child, Command};
use ws_samples::failed;
use ws_server::shutdown_signal;

use backplane::{Bus, Url};

/// Topics on several servers.
#[derive(Parser)]
#[command(name = "cluster")]
struct Options {
    #[command(subcommand)]
    role: Option<Role>,

    /// Address of the first page; the other two have the next ports
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9011", value_parser = ws_samples::address)]
    listen: SocketAddr,

    #[command(flatten)]
    bus: BusOptions,
}

#[derive(Args)]
struct BusOptions {
    /// NATS or Redis that runs already: nats://HOST:PORT or redis://HOST:PORT
    #[arg(long, value_name = "URL")]
    backplane: Option<Url>,
    /// Program to start if there is no --backplane: nats-server or redis-server, or a path to one
    #[arg(long, value_name = "PROGRAM")]
    program: Option<String>,
}

#[derive(Subcommand)]
enum Role {
    /// One of the servers
    Serve(serve::Options),
    /// Kill and cut everything once, and count what was lost
    Judge(judge::Options),
    /// Delay and deliveries a second, beside NATS alone
    Speed(speed::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    match options.role {
        Some(Role::Serve(options)) => serve::run(options).await,
        Some(Role::Judge(options)) => judge::run(options).await,
        Some(Role::Speed(options)) => speed::run(options).await,
        None => start(options.listen, options.bus).await,
    }
}

/// Starts everything, until Ctrl-C.
async fn start(first: SocketAddr, bus: BusOptions) -> ExitCode {
    let bus = match Bus::find(bus.backplane, bus.program).await {
        Ok(bus) => bus,
        Err(what) => return failed("cluster", &what),
    };
    let mut servers = Vec::new();
    for number in 0..3 {
        let listen = SocketAddr::new(first.ip(), first.port().saturating_add(number));
        match server(number + 1, listen, &bus.url, &[]).spawn() {
            Ok(server) => servers.push(server),
            Err(error) => return failed("cluster", &format!("cannot start a server: {error}")),
        }
    }
    println!("They exchange messages through {}. Ctrl-C ends all of them.", bus.url);
    shutdown_signal().await;
    for server in &mut servers {
        // They got the signal, too, if it was Ctrl-C.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(8), server.wait()).await;
    }
    ExitCode::SUCCESS
}

/// This program as one of the servers.
fn server(number: u16, listen: SocketAddr, url: &Url, more: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "cluster".into()));
    command.args(["serve", "--number", &number.to_string(), "--listen", &listen.to_string()]);
    command.args(["--backplane", url.text()]).args(more).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A process that ends with this one, by SIGKILL.
async fn kill(child: &mut Child) {
    let _ = child.kill().await;
}
