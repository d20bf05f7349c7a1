//! Topics that pages subscribe and publish to: `cargo run --release -p ws-samples --example topics`.
//!
//! The page uses the client `ws-topics/js/topics.js`. It shows who is present in a topic and the latest messages, goes on where it was after a
//! loss of connection, and marks what was lost. The subprotocol is described in `ws-topics/docs/topics-v1.md`; the command `ws` speaks it too:
//!
//! ```sh
//! ws topics ws://127.0.0.1:9008/topics subscribe 'board/#'
//! ws topics ws://127.0.0.1:9008/topics publish board/lobby hello
//! ```

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ws_server::{BuildError, Config, Endpoint, HostPolicy, Request, Server};
use ws_topics::{EndpointOptions, History, SUBPROTOCOL, TopicsEndpoint, TopicsOptions};

/// Topics with a page.
#[derive(Parser)]
#[command(name = "topics")]
struct Options {
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9008", value_parser = ws_samples::address)]
    listen: SocketAddr,
}

const SCRIPT: &str = include_str!("../../ws-topics/js/topics.js");
const PAGE: &str = concat!(include_str!("../../ws-server/examples/page.html"), include_str!("topics.html"));

fn topics() -> TopicsEndpoint {
    let history = History::default().max_messages(100).max_age(Duration::from_secs(24 * 3600));
    let options = TopicsOptions::default().history("board/#", history).max_topics(1_000);
    // What clients may do: nothing outside of the board.
    let clients =
        EndpointOptions::default().publish(true).authorize(|access| access.topic.starts_with("board/"));
    TopicsEndpoint::new(options, clients).expect("these settings are possible")
}

fn server(listen: SocketAddr, topics: &TopicsEndpoint) -> impl Future<Output = Result<Server, BuildError>> {
    // A server with users would take the name from their session.
    let name = |request: &Request| request.query_param("name").unwrap_or_default().into_owned();
    let endpoint = Endpoint::new(topics.handler(name));
    let config = Config::server().max_message_size(4 << 10);
    Server::builder()
        .endpoint("/topics", endpoint.subprotocols([SUBPROTOCOL]).connection(config))
        .page("/topics.js", "text/javascript", SCRIPT)
        .page("/", "text/html; charset=utf-8", PAGE)
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(listen))
        .bind(listen)
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let server = server(options.listen, &topics()).await;
    ws_samples::serve("topics", server, |at| format!("Open http://{at}/ in a browser; Ctrl-C ends it.")).await
}
