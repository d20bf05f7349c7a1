//! Chat rooms: `cargo run --release -p ws-samples --example chat`.
//!
//! A room exists while it has members. Messages, joining and leaving are published through a [`Broadcast`]. Its policy
//! for slow readers is to close them ([`SlowPolicy::Close`], 1013): the list of members is sent as differences, and
//! would stay wrong if one of them were lost. The page reconnects, and receives the list and the latest messages again.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use clap::Parser;
use serde_json::{Value, json};
use ws_server::{
    Broadcast, Config, Endpoint, Error, HostPolicy, Member, Request, Sender, Server, SlowPolicy, WebSocket,
};

/// Chat rooms with a page.
#[derive(Parser)]
#[command(name = "chat")]
struct Options {
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9003", value_parser = ws_samples::address)]
    listen: SocketAddr,
    /// Also serve, at /rust, the page whose client is Rust: what ws-client/examples/chat_page/build has made
    #[arg(long, value_name = "DIR")]
    rust: Option<PathBuf>,
}

/// The number of messages that a new member receives.
const HISTORY: usize = 50;
/// The maximum length of a name in characters.
const NAME: usize = 24;

/// The page whose client is Rust: paths, files, their types.
const RUST: [(&str, &str, &str); 3] = [
    ("/rust", "chat_page.html", "text/html; charset=utf-8"),
    ("/rust/chat_page.js", "chat_page.js", "text/javascript"),
    ("/rust/chat_page_bg.wasm", "chat_page_bg.wasm", "application/wasm"),
];

#[derive(Default)]
struct Room {
    members: Broadcast,
    names: Vec<String>,
    history: VecDeque<Value>,
    /// The time of the last event, in milliseconds since 1970.
    last: u64,
}

/// All rooms that have members. Every change is made under the lock, so that all members see the same order.
#[derive(Clone, Default)]
struct Rooms(Arc<Mutex<HashMap<String, Room>>>);

/// A member of a room, which leaves the room when dropped.
struct Seat {
    rooms: Rooms,
    room: String,
    name: String,
    _member: Member,
}

async fn chat(socket: WebSocket, request: Request, rooms: Rooms) -> Result<(), Error> {
    let room = request.param("room").unwrap_or_default().to_owned();
    let name = request.query_param("name").unwrap_or_default().into_owned();
    drop(request);
    let (sender, mut receiver) = socket.split();
    let seat = rooms.enter(room, &name, sender);
    while let Some(message) = receiver.recv().await? {
        if let Some(text) = message.as_text().map(str::trim).filter(|text| !text.is_empty()) {
            seat.say(text);
        }
    }
    Ok(())
}

impl Rooms {
    /// Adds a member: it receives the list and the latest messages, the others receive its name.
    fn enter(&self, room: String, wanted: &str, sender: Sender) -> Seat {
        let mut rooms = self.lock();
        let place = rooms.entry(room.clone()).or_default();
        let name = place.free_name(wanted);
        place.publish(json!({ "type": "joined", "name": name }));
        place.names.push(name.clone());
        let welcome =
            json!({ "type": "welcome", "name": name, "here": place.names, "history": place.history });
        // This is the first message of the connection, so that the queue has room for it.
        let _ = sender.try_send(welcome.to_string());
        let member = place.members.join(sender, SlowPolicy::Close);
        Seat { rooms: self.clone(), room, name, _member: member }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Returns the requested name, with a number appended if it is taken.
    fn free_name(&self, wanted: &str) -> String {
        let plain: String = wanted.trim().chars().filter(|c| !c.is_control()).take(NAME).collect();
        let plain = if plain.is_empty() { "guest".into() } else { plain };
        let numbered = (2..).map(|number| format!("{plain} {number}"));
        let mut names = std::iter::once(plain.clone()).chain(numbered);
        names.find(|name| !self.names.contains(name)).unwrap_or(plain)
    }

    /// Publishes an event with its time, which is later than those of all previous events.
    #[expect(clippy::disallowed_methods, reason = "a time of day is shown; nothing is measured")]
    fn publish(&mut self, mut event: Value) -> Value {
        let now = SystemTime::UNIX_EPOCH.elapsed().as_ref().map_or(0, Duration::as_millis);
        self.last = u64::try_from(now).unwrap_or(0).max(self.last + 1);
        event["at"] = self.last.into();
        self.members.try_publish(event.to_string());
        event
    }
}

impl Seat {
    fn say(&self, text: &str) {
        if let Some(room) = self.rooms.lock().get_mut(&self.room) {
            let said = room.publish(json!({ "type": "said", "name": self.name, "text": text }));
            room.history.push_back(said);
            room.history.drain(..room.history.len().saturating_sub(HISTORY));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Some(room) = rooms.get_mut(&self.room) else { return };
        room.names.retain(|name| *name != self.name);
        room.publish(json!({ "type": "left", "name": self.name }));
        if room.names.is_empty() {
            rooms.remove(&self.room);
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let rooms = Rooms::default();
    let mut config = Config::server();
    config.max_message_size = 4 << 10;
    // A member that does not read leaves the room soon, because its Close cannot be written either.
    config.write_timeout = Duration::from_secs(10);
    let endpoint =
        Endpoint::new(move |socket, request| chat(socket, request, rooms.clone())).connection(config);
    let page = concat!(include_str!("../../ws-server/examples/page.html"), include_str!("chat.html"));
    let mut builder = Server::builder();
    if let Some(directory) = &options.rust {
        for (path, file, content_type) in RUST {
            let file = directory.join(file);
            match std::fs::read(&file) {
                Ok(body) => builder = builder.page(path, content_type, body),
                Err(error) => {
                    return ws_samples::failed("chat", &format!("--rust: {}: {error}", file.display()));
                }
            }
        }
    }
    let server = builder
        .endpoint("/chat/{room}", endpoint)
        .page("/chat/{room}", "text/html; charset=utf-8", page)
        .page("/", "text/html; charset=utf-8", page)
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(options.listen))
        .bind(options.listen)
        .await;
    ws_samples::serve("chat", server, |at| format!("Open http://{at}/ in a browser; Ctrl-C ends it.")).await
}
