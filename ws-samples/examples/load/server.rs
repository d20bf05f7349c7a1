//! The server of a load, as a process that answers commands: `usage`, `publish NUMBER` and `stop`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime;
use ws_server::{Broadcast, Endpoint, Error, Server, ServerOptions, SlowPolicy, WebSocket};

use crate::{Arguments, Failure, machine};

/// The handshakes in progress at one time in a process. Few, so that their descriptors are left to WebSockets.
pub(crate) const HANDSHAKES: usize = 256;

/// The descriptors that a process of the server needs beside those of its WebSockets: `Server` keeps two and a half for each
/// handshake, and 64 for the rest of the program.
pub(crate) const FILES: usize = HANDSHAKES * 5 / 2 + 64;

/// Runs the server: on one thread if it shares the port with others, otherwise as `#[tokio::main]` does.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    machine::end_first_without_memory();
    let mut runtime = match arguments.shared {
        true => runtime::Builder::new_current_thread(),
        false => runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(serve(arguments))
}

/// The handler of the README.
async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

/// The same for a member of a broadcast.
async fn member(socket: WebSocket, room: Room) -> Result<(), Error> {
    let (sender, mut receiver) = socket.split();
    let _member = (!room.loses()).then(|| room.members.join(sender.clone(), SlowPolicy::DropOldest(100)));
    while let Some(message) = receiver.recv().await? {
        if !room.loses() {
            sender.feed(message).await?;
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Room {
    members: Broadcast,
    /// One in this many members and echoes is left out, to show that the load notices it.
    lose: Option<u64>,
    turns: Arc<AtomicU64>,
}

impl Room {
    fn loses(&self) -> bool {
        self.lose.is_some_and(|lose| self.turns.fetch_add(1, Ordering::Relaxed) % lose == lose - 1)
    }
}

async fn serve(arguments: &Arguments) -> Result<(), Failure> {
    let mut options = ServerOptions::default();
    options.max_connections = Some(arguments.connections);
    options.drain_timeout = Duration::from_secs(arguments.drain);
    if let Some(spread) = arguments.spread {
        options.drain_spread = Duration::from_secs(spread);
        options.max_handshakes = Some(HANDSHAKES);
    }
    let members = Broadcast::new();
    let room = Room { members: members.clone(), lose: arguments.lose, turns: Arc::default() };
    let server = Server::builder().options(options).listener(listen(arguments)?);
    let server = if arguments.members {
        server.endpoint("/", Endpoint::new(move |socket| member(socket, room.clone())))
    } else {
        server.route("/", echo)
    };
    let server = server.build()?;
    println!("address={}", server.local_addr()?);
    let stats = server.stats();
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let stop = async {
        while let Ok(Some(command)) = commands.next_line().await {
            match command.split_once(' ') {
                None if command == "usage" => println!("open={} {}", stats.open(), usage()),
                Some(("publish", number)) => {
                    let text = format!("{BROADCAST} {number} goes to every member, as long as an echo is");
                    let report = members.publish(text).await;
                    println!("delivered={} dropped={}", report.delivered, report.dropped);
                }
                _ => return,
            }
        }
        // The parent has ended.
        std::process::exit(1);
    };
    let drained = server.serve_until(stop).await;
    println!("closed={} aborted={} {}", drained.closed, drained.aborted, usage());
    Ok(())
}

/// The first word of a message of the broadcast.
pub(crate) const BROADCAST: &str = "broadcast";

fn listen(arguments: &Arguments) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(arguments.shared)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)))?;
    socket.listen(4096)
}

/// Returns the memory and descriptors of this process as Linux reports them; zeros elsewhere.
fn usage() -> String {
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    format!("resident_kib={} descriptors={descriptors}", machine::resident_kib())
}
