//! The open WebSockets of a server, for those who operate it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Version};
use tokio::time::Instant;
use ws_core::{CloseCode, Message, SendError};
use ws_tokio::{Closer, ConnectionId, TrySendError};

use crate::hub::registry::Registry;
use crate::web::request::Request;
use crate::web::response::{Response, content};

/// The open WebSockets of a [`Server`](crate::Server) or a `WebSocketHub`: lists them, sends to one, closes one. Cheap to
/// clone; after the server has ended there are none.
///
/// ```
/// # async fn example(server: ws_server::Server) {
/// use ws_server::CloseCode;
///
/// let connections = server.connections();
/// tokio::spawn(server.serve());
/// for open in connections.list() {
///     println!("{} {:?} {} for {:?}", open.id, open.client_addr, open.path, open.age);
///     let _ = connections.close(open.id, CloseCode::SERVICE_RESTART, "maintenance");
/// }
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<OnceLock<Arc<Registry>>>);

/// An open WebSocket, as it is at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its number: the field `id` in the log, and what [`Request::id`](crate::Request::id) returns.
    pub id: ConnectionId,
    /// The address of the client, as [`Request::client_addr`](crate::Request::client_addr) has it.
    pub client_addr: Option<SocketAddr>,
    /// The other end of the connection: the client, or a proxy.
    pub peer_addr: Option<SocketAddr>,
    /// The path of its request; without the query, which may have a token in it.
    pub path: String,
    /// The subprotocol, if one was chosen.
    pub subprotocol: Option<String>,
    /// The version of HTTP by which it was opened.
    pub http_version: Version,
    /// Whether the connection to this server is encrypted.
    pub is_tls: bool,
    /// How long it has been open.
    pub age: Duration,
    /// The bytes that waited to be written when it waited last.
    pub queued: usize,
    /// The round-trip time of the last ping that was answered, if there was one.
    pub rtt: Option<Duration>,
}

/// What is kept of a request for as long as its WebSocket is open.
#[derive(Debug)]
pub(crate) struct Facts {
    client_addr: Option<SocketAddr>,
    peer_addr: Option<SocketAddr>,
    path: Box<str>,
    subprotocol: Option<Box<str>>,
    http_version: Version,
    is_tls: bool,
    opened: Instant,
}

impl Facts {
    pub(crate) fn of(request: &Request) -> Box<Self> {
        Box::new(Self {
            client_addr: request.client_addr(),
            peer_addr: request.peer_addr(),
            path: request.path().into(),
            subprotocol: request.subprotocol().map(Into::into),
            http_version: request.version(),
            is_tls: request.is_secure(),
            opened: Instant::now(),
        })
    }

    pub(crate) fn info(&self, id: ConnectionId, closer: &Closer) -> ConnectionInfo {
        ConnectionInfo {
            id,
            client_addr: self.client_addr,
            peer_addr: self.peer_addr,
            path: self.path.to_string(),
            subprotocol: self.subprotocol.as_deref().map(str::to_owned),
            http_version: self.http_version,
            is_tls: self.is_tls,
            age: self.opened.elapsed(),
            queued: closer.queued(),
            rtt: closer.rtt(),
        }
    }
}

impl Connections {
    /// Those of a registry that is there already, which lists them from now on.
    #[cfg(feature = "hyper")]
    pub(crate) fn of(registry: &Arc<Registry>) -> Self {
        registry.begin_to_list();
        let connections = Self::default();
        connections.set(registry);
        connections
    }

    /// From now on these are the connections.
    pub(crate) fn set(&self, registry: &Arc<Registry>) {
        // It is called once.
        let _ = self.0.set(registry.clone());
    }

    /// Returns the open WebSockets, the oldest first.
    pub fn list(&self) -> Vec<ConnectionInfo> {
        self.0.get().map(|registry| registry.list()).unwrap_or_default()
    }

    /// Returns one of them.
    pub fn get(&self, id: ConnectionId) -> Option<ConnectionInfo> {
        self.0.get()?.info(id)
    }

    /// Asks for a WebSocket to be closed, without waiting for it; returns `false` if it is not open. As with
    /// [`Closer::start_close`], its handler sees the closing handshake through.
    ///
    /// # Errors
    /// [`SendError`] for a code or reason that must not be sent.
    pub fn close(&self, id: ConnectionId, code: CloseCode, reason: &str) -> Result<bool, SendError> {
        match self.closer(id) {
            Some(closer) => closer.start_close(code, reason).map(|()| true),
            None => Ok(false),
        }
    }

    /// Leaves a message for a WebSocket, which sends it when it has room; returns `false` if it is not open. Its handler
    /// has to receive, or to send, for that.
    ///
    /// # Errors
    /// As [`Closer::try_send`].
    pub fn send(&self, id: ConnectionId, message: impl Into<Message>) -> Result<bool, TrySendError> {
        match self.closer(id) {
            Some(closer) => closer.try_send(message).map(|()| true),
            None => Ok(false),
        }
    }

    fn closer(&self, id: ConnectionId) -> Option<Closer> {
        self.0.get()?.closer(id)
    }

    /// Returns the list as JSON: what [`ServerBuilder::connections_page`](crate::ServerBuilder::connections_page) answers.
    /// Times are in seconds; what is not known is `null`.
    pub fn to_json(&self) -> String {
        let mut json = String::from("[");
        for (place, open) in self.list().iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(json, "{comma}{{\"id\":{}", open.id);
            string(&mut json, "client_addr", open.client_addr.map(|address| address.to_string()).as_deref());
            string(&mut json, "peer_addr", open.peer_addr.map(|address| address.to_string()).as_deref());
            string(&mut json, "path", Some(&open.path));
            string(&mut json, "subprotocol", open.subprotocol.as_deref());
            string(&mut json, "http_version", Some(&format!("{:?}", open.http_version)));
            let age = open.age.as_secs_f64();
            let _ = write!(json, ",\"tls\":{},\"age\":{age:.3},\"queued\":{}", open.is_tls, open.queued);
            let _ = match open.rtt {
                Some(rtt) => write!(json, ",\"rtt\":{:.6}}}", rtt.as_secs_f64()),
                None => write!(json, ",\"rtt\":null}}"),
            };
        }
        json.push(']');
        json
    }

    pub(crate) fn page(&self) -> Response {
        let json = HeaderValue::from_static("application/json");
        content(StatusCode::OK, json, Bytes::from(self.to_json()))
    }
}

/// Adds a member with a string or null (RFC 8259 section 7).
fn string(json: &mut String, name: &str, value: Option<&str>) {
    let _ = write!(json, ",\"{name}\":");
    let Some(value) = value else { return json.push_str("null") };
    json.push('"');
    for character in value.chars() {
        let _ = match character {
            '"' | '\\' => write!(json, "\\{character}"),
            '\0'..='\x1f' => write!(json, "\\u{:04x}", u32::from(character)),
            other => write!(json, "{other}"),
        };
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_json_are_escaped() {
        let mut json = String::new();
        string(&mut json, "path", Some("/a\"b\\c\n\u{1f}é"));
        string(&mut json, "subprotocol", None);
        assert_eq!(json, r#","path":"/a\"b\\c\u000a\u001fé","subprotocol":null"#);
    }
}
