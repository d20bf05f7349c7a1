//! The settings of a server: a plain struct with defaults, checked when a server is built from it.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::address_limits::AddressLimits;
use crate::config::error::SettingError;
use crate::config::handshake::HandshakeOptions;
#[cfg(feature = "http2")]
use crate::config::http2::Http2Options;
use crate::config::machine_memory::default_memory;
use crate::config::open_files::{
    beside_connections, default_connections, default_handshakes, open_files_limit,
};
use crate::config::setters::setters;
use crate::config::tcp::TcpOptions;

/// What holds for a server as a whole. Each field has a setter of the same name:
///
/// ```
/// use std::time::Duration;
/// use ws_server::{HandshakeOptions, ServerOptions};
///
/// let options = ServerOptions::default()
///     .max_connections(Some(500))
///     .handshake(HandshakeOptions::default().timeout(Duration::from_secs(5)));
/// options.check()?;
/// # Ok::<(), ws_server::SettingError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The opening handshake.
    pub handshake: HandshakeOptions,
    /// The most WebSockets open at one time. Beyond, 503 is answered, after [`overload_wait`](Self::overload_wait):
    /// before the guards are asked, and after them if it has become full meanwhile. Pages and health checks are still
    /// served. Default `None`: the lesser of 10,000 and what the process's limit of open files leaves, less
    /// what handshakes, guards and answers may take (two and a half times `max_handshakes`) and 64 for the rest of the
    /// program.
    pub max_connections: Option<usize>,
    /// The most opening handshakes in progress at one time, TLS included. Counted apart, the most requests for a WebSocket
    /// that [guards](crate::Endpoint::guard) are deciding on (beyond, 503 is answered). And again apart, half as many
    /// answers other than 101 that may be in the making or on their way to a slow peer: beyond, a page is answered from
    /// the seat of its handshake, and a refusal is written without waiting for the peer.
    ///
    /// One client address (of IPv6, one network of 64 bits) may hold four fifths of the seats for handshakes if it is
    /// alone, less if there are others. More clients of that address wait unaccepted, without limit, while its
    /// handshakes come to an end. When all seats are taken, a handshake gives way that has neither sent nor taken a
    /// byte for a second, or is older than three: one of the address that holds most, chosen at random among equals.
    /// Clients of an address most of whose handshakes stand still are cut off once they have had others wait for a
    /// second.
    ///
    /// Default `None`: an eighth of what the limit of open files leaves, at most 4096.
    pub max_handshakes: Option<usize>,
    /// The memory that all connections together may hold, in bytes: what each WebSocket holds by its own account
    /// ([`MemoryUsage`](ws_tokio::ws_core::MemoryUsage); it is looked at when the connection is about to wait, and counts in steps of
    /// 4 KiB), 2 KiB for each connection, 20 KiB more with TLS and 16 KiB more with HTTP/2, and `handshake.head.bytes` for a request
    /// that is being read. Unfinished input of 4 KiB or more counts half as much again: messages that grow side by side leave gaps
    /// that the allocator cannot use again. What handlers keep, what the system holds for sockets, and what else the allocator keeps free are
    /// not among it.
    /// The system holds up to 768 KiB that it has not sent, and what it has sent and the peer has not acknowledged, for each TCP
    /// connection whose peer stops reading on a fast link; Linux limits that for all sockets of the machine by `net.ipv4.tcp_mem`.
    ///
    /// Beyond seven eighths of it a request for a WebSocket is answered with 503. Beyond all of it, and when a request was
    /// refused for it, WebSockets are closed with 1013 until three quarters are left, those first that hold most: of unfinished input (parts
    /// of messages, and what has been read and not been received) and of output of which the peer's side has taken nothing for 5 s, or for
    /// 1 s while more than one and a quarter times the limit is used; among those that hold about as much, the one that has done so for
    /// longest. A WebSocket with neither, or with less than 4 KiB of it, stays. Output that is dropped is lost to the peer; in the middle of a
    /// large frame no Close can follow, and the connection is cut off
    /// ([`Connection::give_way_with_output`](ws_tokio::ws_core::Connection::give_way_with_output)). A payload that several connections
    /// share, as those of broadcasts are, counts for each.
    ///
    /// At least 1 MiB. Default `None`: half of what the machine has or, if that is less, of what the control group of the process
    /// (version 1 or 2) may use, read when the server is built; on systems other than Linux 4 GiB, or 1 GiB where pointers have 32 bits.
    /// Each server, and each `WebSocketHub`, has a budget for itself.
    #[doc(alias = "memory_limit")]
    pub max_memory: Option<usize>,
    /// What one client address may use. Default no limits.
    pub per_address: AddressLimits,
    /// How long a request waits for one of `max_connections` to end before it is answered with 503. Must be
    /// shorter than `handshake.timeout`. Default 100 ms.
    pub overload_wait: Duration,
    /// What the 503, and the 429 of an address with too many WebSockets, say in `Retry-After`, in whole seconds, rounded up (RFC 9110 section 10.2.3). Default 5 s.
    pub retry_after: Duration,
    /// Whether each open WebSocket has a span `connection` in the log for its whole life, in which its handler runs, with the fields `id`,
    /// `peer`, `client` and `path`. Default `false`: for exporters that send a span when it ends, one of hours is of little use, and those that keep its
    /// events until then keep them for hours. Events have the `id` in any case; the opening handshake has a span `handshake`.
    pub connection_span: bool,
    /// How many connections the system completes and keeps for the server until it accepts them, for
    /// [`ServerBuilder::bind`](crate::ServerBuilder::bind): with too few, those that come in a burst are held up by
    /// a second and more. The system may allow fewer (`net.core.somaxconn` on Linux). Default 4096.
    pub backlog: u32,
    /// How long shutdown waits for connections to end before it cuts them off. Default 10 s.
    pub drain_timeout: Duration,
    /// Shutdown spreads its Close frames over this time, so that clients do not all come back at
    /// once. Must be shorter than `drain_timeout`. Default 1 s.
    pub drain_spread: Duration,
    /// Options of the TCP sockets. Default none.
    pub tcp: TcpOptions,
    /// Whether small messages are sent at once (TCP_NODELAY) rather than gathered. Default yes.
    pub nodelay: bool,
    /// HTTP/2, with TLS where a client prefers it (ALPN), without TLS for clients that begin with it (prior
    /// knowledge). `None` turns it off. Default [`Http2Options::default`].
    #[cfg(feature = "http2")]
    #[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
    pub http2: Option<Http2Options>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            handshake: HandshakeOptions::default(),
            max_connections: None,
            max_handshakes: None,
            max_memory: None,
            per_address: AddressLimits::default(),
            overload_wait: Duration::from_millis(100),
            retry_after: Duration::from_secs(5),
            connection_span: false,
            backlog: 4096,
            drain_timeout: Duration::from_secs(10),
            drain_spread: Duration::from_secs(1),
            tcp: TcpOptions::default(),
            nodelay: true,
            #[cfg(feature = "http2")]
            http2: Some(Http2Options::default()),
        }
    }
}

impl ServerOptions {
    setters! {
        handshake: HandshakeOptions,
        max_connections: Option<usize>,
        max_handshakes: Option<usize>,
        max_memory: Option<usize>,
        per_address: AddressLimits,
        overload_wait: Duration,
        retry_after: Duration,
        connection_span: bool,
        backlog: u32,
        drain_timeout: Duration,
        drain_spread: Duration,
        tcp: TcpOptions,
        nodelay: bool,
    }

    #[cfg(feature = "http2")]
    setters! { http2: Option<Http2Options> }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first setting that does not, with its value and what it must be.
    pub fn check(&self) -> Result<(), SettingError> {
        self.handshake.check()?;
        self.per_address.check()?;
        self.tcp.check()?;
        for (setting, value) in
            [("max_connections", self.max_connections), ("max_handshakes", self.max_handshakes)]
        {
            if let Some(n) = value
                && !(1..=MOST_PERMITS).contains(&n)
            {
                let must =
                    format!("it must be between 1 and {MOST_PERMITS}; None takes the limit from the system");
                return Err(SettingError::new(setting, n, must));
            }
        }
        if let Some(bytes) = self.max_memory.filter(|bytes| *bytes < LEAST_MEMORY) {
            let must =
                format!("it must be at least {LEAST_MEMORY} bytes; None takes half of what the system has");
            return Err(SettingError::new("max_memory", bytes, must));
        }
        if self.overload_wait >= self.handshake.timeout {
            let must = format!("it must be shorter than handshake.timeout = {:?}", self.handshake.timeout);
            return Err(SettingError::new("overload_wait", format!("{:?}", self.overload_wait), must));
        }
        if !(1..=MOST_BACKLOG).contains(&self.backlog) {
            let must = format!("it must be between 1 and {MOST_BACKLOG}");
            return Err(SettingError::new("backlog", self.backlog, must));
        }
        if self.drain_timeout.is_zero() {
            return Err(SettingError::new("drain_timeout", "0ns", "it must be longer than zero"));
        }
        if self.drain_spread >= self.drain_timeout {
            let must = format!("it must be shorter than drain_timeout = {:?}", self.drain_timeout);
            return Err(SettingError::new("drain_spread", format!("{:?}", self.drain_spread), must));
        }
        #[cfg(feature = "http2")]
        if let Some(http2) = &self.http2 {
            http2.check()?;
        }
        Ok(())
    }

    /// `max_connections`, or what it is by default.
    pub fn connection_limit(&self) -> usize {
        self.max_connections
            .unwrap_or_else(|| default_connections(open_files_limit(), self.handshake_limit()))
    }

    /// `max_handshakes`, or what it is by default.
    pub fn handshake_limit(&self) -> usize {
        self.max_handshakes.unwrap_or_else(|| default_handshakes(open_files_limit()))
    }

    /// `max_memory`, or what it is by default.
    pub fn memory_limit(&self) -> usize {
        self.max_memory.unwrap_or_else(default_memory)
    }

    /// Says so when there are more permits than descriptors: connections would wait unaccepted.
    pub(crate) fn warn_of_few_files(&self) {
        let (connections, handshakes) = (self.connection_limit(), self.handshake_limit());
        let open_files = open_files_limit();
        if connections.saturating_add(beside_connections(handshakes)) > open_files {
            tracing::warn!(
                max_connections = connections,
                max_handshakes = handshakes,
                open_files,
                "the limit of open files is too low for these: raise it (ulimit -n), or lower them"
            );
        }
    }
}

/// A point in time so far away; what is beyond the clock is thirty years away.
pub(crate) fn from_now(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}

/// What a semaphore of tokio can count.
const MOST_PERMITS: usize = tokio::sync::Semaphore::MAX_PERMITS;
/// A few messages must be possible.
const LEAST_MEMORY: usize = 1 << 20;
/// It is a C `int` for the system.
const MOST_BACKLOG: u32 = i32::MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense() {
        ServerOptions::default().check().unwrap();
    }

    #[test]
    fn impossible_values_are_named_with_what_to_do() {
        let mut options = ServerOptions::default();
        options.drain_spread = options.drain_timeout;
        let text = options.check().unwrap_err().to_string();
        assert_eq!(text, "drain_spread = 10s is not possible: it must be shorter than drain_timeout = 10s");

        let options = ServerOptions { max_connections: Some(0), ..ServerOptions::default() };
        assert_eq!(options.check().unwrap_err().setting, "max_connections");
        let options = ServerOptions { max_handshakes: Some(usize::MAX), ..ServerOptions::default() };
        assert_eq!(options.check().unwrap_err().setting, "max_handshakes");
        let options = ServerOptions { max_memory: Some(1000), ..ServerOptions::default() };
        let text = options.check().unwrap_err().to_string();
        assert_eq!(
            text,
            "max_memory = 1000 is not possible: it must be at least 1048576 bytes; None takes half of what the system has"
        );
        let options = ServerOptions { backlog: 0, ..ServerOptions::default() };
        assert_eq!(options.check().unwrap_err().setting, "backlog");
        let options = ServerOptions { overload_wait: Duration::from_secs(10), ..ServerOptions::default() };
        let text = options.check().unwrap_err().to_string();
        assert_eq!(
            text,
            "overload_wait = 10s is not possible: it must be shorter than handshake.timeout = 10s"
        );

        let mut options = ServerOptions::default();
        options.handshake.timeout = Duration::ZERO;
        assert_eq!(options.check().unwrap_err().setting, "handshake.timeout");
        options.handshake = HandshakeOptions::default();
        options.handshake.head.bytes = 10;
        assert_eq!(options.check().unwrap_err().setting, "handshake.head.bytes");
    }
}
