//! Chat rooms: `cargo run --release -p ws-samples --example chat`.
//!
//! A room is a topic: whoever joins gets its latest messages, and sees who is there. Whoever loses the connection gets what was missed when it is
//! there again, or a mark where something is missing; what is said meanwhile waits in the page, and is published once. The page uses
//! `ws-topics/js/topics.js`, and a second one `TopicsClient` (`ws-topics/examples/chat_page`).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;
use serde_json::json;
use ws_server::{BuildError, Config, Endpoint, HostPolicy, Message, Request, Server, ServerBuilder};
use ws_topics::{EndpointAccess, EndpointOptions, History, SUBPROTOCOL, TopicsEndpoint, TopicsOptions};

/// Chat rooms with a page.
#[derive(Parser)]
#[command(name = "chat")]
struct Options {
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9003", value_parser = ws_samples::address)]
    listen: SocketAddr,
    /// Also serve, at /rust, the page whose client is Rust: what ws-topics/examples/chat_page/build has made
    #[arg(long, value_name = "DIR")]
    rust: Option<PathBuf>,
}

/// For how long a room keeps its messages.
const KEPT: Duration = Duration::from_secs(3_600);
/// The maximum length of a name in characters.
const NAME: usize = 24;
/// The maximum length of a text in characters.
const TEXT: usize = 1_000;

const SCRIPT: &str = include_str!("../../ws-topics/js/topics.js");
const PAGE: &str = concat!(include_str!("../../ws-server/examples/page.html"), include_str!("chat.html"));

/// The page whose client is Rust: paths, files, their types.
const RUST: [(&str, &str, &str); 3] = [
    ("/rust", "chat_page.html", "text/html; charset=utf-8"),
    ("/rust/chat_page.js", "chat_page.js", "text/javascript"),
    ("/rust/chat_page_bg.wasm", "chat_page_bg.wasm", "application/wasm"),
];

fn rooms() -> TopicsEndpoint {
    // For those who were away.
    let history = History::default().max_messages(200).max_age(KEPT);
    let topics = TopicsOptions::default().history("chat/+", history).max_topics(1_000);
    // A room is one level below `chat`; nobody may listen in all of them by a filter.
    let is_room = |topic: &str| {
        topic.strip_prefix("chat/").is_some_and(|room| !room.is_empty() && !room.contains(['/', '+', '#']))
    };
    // A page repeats what it had no answer to. It may have been away for as long as it can resume: what was published before is known until then.
    let clients = EndpointOptions::default().publish(true).publish_key_age(KEPT);
    let clients = clients.authorize(move |access| is_room(access.topic)).prepare(said);
    TopicsEndpoint::new(topics, clients).expect("these settings are possible")
}

/// Makes the message that a room gets of a text: with the name of its author, which no client can choose for a message, and the time.
#[expect(clippy::disallowed_methods, reason = "a time of day is shown; nothing is measured")]
fn said(access: &EndpointAccess<'_>, message: Message) -> Result<Message, String> {
    let text = message.as_text().map(str::trim).filter(|text| !text.is_empty()).ok_or("write a text")?;
    let length = text.chars().count();
    if length > TEXT {
        return Err(format!("the text has {length} characters, the most is {TEXT}"));
    }
    let now = SystemTime::UNIX_EPOCH.elapsed().as_ref().map_or(0, Duration::as_millis);
    let at = u64::try_from(now).unwrap_or(0);
    Ok(json!({ "name": access.identity, "text": text, "at": at }).to_string().into())
}

/// Returns the name by which a client is known. A server with users would take it from their session: here two clients that enter the same name are
/// the same person, on two devices perhaps.
fn name(wanted: &str) -> String {
    let name: String = wanted.trim().chars().filter(|c| !c.is_control()).take(NAME).collect();
    if name.is_empty() { "guest".into() } else { name }
}

fn server(topics: &TopicsEndpoint) -> ServerBuilder {
    let endpoint = Endpoint::new(
        topics.handler(|request: &Request| name(&request.query_param("name").unwrap_or_default())),
    );
    // Somebody who does not read any more leaves the room after this time.
    let config = Config::server().max_message_size(8 << 10).write_timeout(Duration::from_secs(10));
    Server::builder()
        .endpoint("/topics", endpoint.subprotocols([SUBPROTOCOL]).connection(config))
        .page("/topics.js", "text/javascript", SCRIPT)
        .page("/chat/{room}", "text/html; charset=utf-8", PAGE)
        .page("/", "text/html; charset=utf-8", PAGE)
        .health("/healthz")
}

async fn bind(options: &Options, server: ServerBuilder) -> Result<Server, BuildError> {
    server.allowed_hosts(HostPolicy::for_listener(options.listen)).bind(options.listen).await
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut server = server(&rooms());
    if let Some(directory) = &options.rust {
        for (path, file, content_type) in RUST {
            let file = directory.join(file);
            match std::fs::read(&file) {
                Ok(body) => server = server.page(path, content_type, body),
                Err(error) => {
                    return ws_samples::failed("chat", &format!("--rust: {}: {error}", file.display()));
                }
            }
        }
    }
    let server = bind(&options, server).await;
    ws_samples::serve("chat", server, |at| format!("Open http://{at}/ in a browser; Ctrl-C ends it.")).await
}
