//! What a connection may cost and how long it may take: limits and deadlines.

use core::time::Duration;

use crate::setters::setters;
use crate::setting_error::SettingError;

/// Limits and deadlines of a connection. Shared by any number of connections in an `Arc`.
///
/// [`server`](Self::server) and [`client`](Self::client) return the defaults. Set the fields that matter, each has a setter of
/// the same name, and let [`check`](Self::check) report whether they make sense together:
///
/// ```
/// use std::time::Duration;
/// use ws_core::{Config, Keepalive};
///
/// let config = Config::server()
///     .max_message_size(64 << 10)
///     .keepalive(Some(Keepalive::default().interval(Duration::from_secs(10))));
/// config.check()?;
/// # Ok::<(), ws_core::SettingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    #[doc(alias("max_size", "max_payload", "read_limit"))]
    /// The largest message taken from the peer, in bytes after inflation; it bounds a frame as
    /// well. At least 1. Larger ones fail the connection with 1009. Server 1 MiB, client 16 MiB. No more than half of
    /// `isize::MAX` bytes has an effect, which is 1 GiB on 32-bit systems: larger messages are received in pieces.
    pub max_message_size: u64,
    /// The most fragments a message may come in; `None` for `max(4096, max_message_size / 64)`, and
    /// `max(4096, max_stream_size / 64)` for one that is taken in pieces. More fail the connection with
    /// 1008. Default `None`.
    pub max_fragments: Option<u64>,
    /// The largest message taken in pieces ([`Connection::receive_piece`](crate::Connection::receive_piece)),
    /// in bytes: it is never held whole, so its size costs no memory. Default `u64::MAX`, no limit.
    pub max_stream_size: u64,
    /// The most control frames a second that are taken from the peer; more fail the connection with 1008. `None`, the
    /// default, sets no limit: what a control frame costs is bounded anyway.
    pub max_control_rate: Option<u32>,
    /// Messages larger than this are sent in frames of this size, in bytes, so that a pong never
    /// waits behind a whole large message. Default 256 KiB.
    pub max_frame_size: usize,
    /// The high-water mark: while this many bytes or more wait to be written, an async `send` waits. At least 1. Default 64 KiB.
    pub send_high_water: usize,
    #[doc(alias("max_write_buffer_size", "max_backpressure"))]
    /// The hard limit: while this many bytes or more wait to be written, nothing more is queued. A single message may
    /// exceed it. At least `send_high_water`. Default 1 MiB.
    pub max_queued: usize,
    /// While a send waits for the peer to read, what the peer sends is read and kept, up to this many
    /// bytes and one read of 64 KiB more, so that two ends which both send first do not block each other. What an async
    /// `send` finds to have arrived is kept within the same limit. At least 1.
    /// Default 4 MiB.
    pub max_read_ahead: usize,
    /// The most memory held for a connection, in bytes: the sum of its [`MemoryUsage`](crate::MemoryUsage). Beyond
    /// it sends are refused or wait, and nothing is read while there is something to write; what the
    /// peer alone makes us hold beyond it fails the connection with 1009, be it below `max_message_size`. At least
    /// 512 KiB (one read, and the windows and codecs of permessage-deflate) and `send_high_water`. `None`, the
    /// default, is more than the other limits add up to: see [`memory_bound`](Self::memory_bound).
    pub max_memory: Option<usize>,
    #[doc(alias("ping_interval", "ping_timeout", "heartbeat"))]
    /// Pings that check whether the peer is alive; `None` for none. Default every 20 s, 20 s for the answer.
    pub keepalive: Option<Keepalive>,
    #[doc(alias("read_timeout"))]
    /// How long a message of which the first frame has begun may bring no byte of its payload, whatever else the peer sends
    /// meanwhile; it then fails the connection with 1008. It does not run while something waits to be written, and a message that
    /// the peer sends in pieces as they come up may need more. `None` sets no limit. Default 60 s.
    pub message_timeout: Option<Duration>,
    /// How long writing may make no progress while bytes wait to be written, or to be flushed by a transport that
    /// buffers. At least 1 ms, as all durations here. Default 30 s.
    ///
    /// In the buffer of a TCP socket bytes count as written, and over HTTP/2 so do up to 4 KiB that wait for the socket, for a task
    /// that receives: what then finds a dead peer is `keepalive`.
    pub write_timeout: Duration,
    /// How long closing may make no progress: the time without a byte from the peer, from when our Close has been written.
    /// What the transport has taken and not delivered yet has its own time, as long as the transport took to take it.
    /// Default 5 s.
    pub close_timeout: Duration,
    /// Whether the reply to the peer's Close is held back, so that what is being sent can be finished first (RFC 6455 section
    /// 5.5.1): messages can still be sent until [`reply_to_close`](crate::Connection::reply_to_close), or until
    /// `close_timeout` has passed since the peer's Close was received, which sends the reply. Default `false`: the reply is
    /// sent at once.
    pub delay_close_reply: bool,
    /// How long the peer's Close is waited for at most, from when ours has been written, whatever the peer sends
    /// meanwhile; `None` for no limit but `close_timeout`. Server 60 s, so that a
    /// trickling peer cannot hold it up; client 300 s, since it may wait for a long answer over a slow link.
    pub close_total_timeout: Option<Duration>,
    /// How long a connection that has failed, or that the peer did not close in time, continues to read and discards what it reads, so
    /// that the peer sees all that was sent, our Close last, rather than a reset. Default 1 s.
    pub linger_timeout: Duration,
    /// The most bytes that it discards while doing so. At least 1. Default 4 MiB.
    pub max_linger_bytes: u64,
}

/// Pings that check whether the peer is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keepalive {
    /// The time between two pings. Default 20 s.
    pub interval: Duration,
    /// How long the peer may stay silent and take nothing, from when a ping has been written. While it waits to be
    /// written `write_timeout` applies, and what the transport has taken and not delivered yet has its own time, as long as
    /// the transport took to take it. Default 20 s.
    pub timeout: Duration,
}

impl Keepalive {
    setters! { interval: Duration, timeout: Duration }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { interval: Duration::from_secs(20), timeout: Duration::from_secs(20) }
    }
}

impl Config {
    /// Returns the defaults of a server.
    pub const fn server() -> Self {
        Self {
            max_message_size: 1 << 20,
            max_fragments: None,
            max_stream_size: u64::MAX,
            max_control_rate: None,
            max_frame_size: 256 << 10,
            send_high_water: 64 << 10,
            max_queued: 1 << 20,
            max_read_ahead: 4 << 20,
            max_memory: None,
            keepalive: Some(Keepalive {
                interval: Duration::from_secs(20),
                timeout: Duration::from_secs(20),
            }),
            message_timeout: Some(Duration::from_secs(60)),
            write_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            delay_close_reply: false,
            close_total_timeout: Some(Duration::from_secs(60)),
            linger_timeout: Duration::from_secs(1),
            max_linger_bytes: 4 << 20,
        }
    }

    /// Returns the defaults of a client: as a server's, with messages up to 16 MiB, and five minutes for closing.
    pub const fn client() -> Self {
        let mut config = Self::server();
        config.max_message_size = 16 << 20;
        config.close_total_timeout = Some(Duration::from_secs(300));
        config
    }

    setters! {
        max_message_size: u64,
        max_fragments: Option<u64>,
        max_stream_size: u64,
        max_control_rate: Option<u32>,
        max_frame_size: usize,
        send_high_water: usize,
        max_queued: usize,
        max_read_ahead: usize,
        max_memory: Option<usize>,
        keepalive: Option<Keepalive>,
        message_timeout: Option<Duration>,
        write_timeout: Duration,
        close_timeout: Duration,
        delay_close_reply: bool,
        close_total_timeout: Option<Duration>,
        linger_timeout: Duration,
        max_linger_bytes: u64,
    }

    /// The limit of a message that is received whole: `max_message_size`, unless no buffer can hold that much. Half
    /// of what an allocation may have, so that a buffer can double.
    #[inline]
    pub(crate) fn message_limit(&self) -> u64 {
        const MOST: u64 = isize::MAX as u64 / 2;
        self.max_message_size.min(MOST)
    }

    /// Returns the number of fragments at which a message fails, from `max_fragments` or its default.
    pub fn fragment_limit(&self) -> u64 {
        self.fragment_limit_for(self.max_message_size)
    }

    /// The same for a message of which `size` is the limit.
    #[inline]
    pub(crate) fn fragment_limit_for(&self, size: u64) -> u64 {
        self.max_fragments.unwrap_or_else(|| (size / 64).max(4096))
    }

    /// Returns the limit of the memory held for a connection, in bytes: `max_memory`, or twice what a message,
    /// both queues and 1 MiB for codecs and windows may take.
    pub fn memory_bound(&self) -> usize {
        self.max_memory.unwrap_or_else(|| {
            let message = usize::try_from(self.max_message_size).unwrap_or(usize::MAX);
            let queues = self.max_queued.saturating_add(self.max_read_ahead);
            message.saturating_add(queues).saturating_add(1 << 20).saturating_mul(2)
        })
    }

    /// Checks whether the settings make sense.
    ///
    /// # Errors
    /// The first setting that does not, with its value and what it must be.
    pub fn check(&self) -> Result<(), SettingError> {
        let fail = |setting, value: u128, must: &str| Err(SettingError::new(setting, value, must));
        let nonzero = "it must be above zero";
        if self.max_message_size == 0 {
            return fail("max_message_size", 0, nonzero);
        }
        if self.max_fragments == Some(0) {
            return fail("max_fragments", 0, nonzero);
        }
        if self.max_stream_size == 0 {
            return fail("max_stream_size", 0, nonzero);
        }
        if self.max_control_rate == Some(0) {
            return fail("max_control_rate", 0, "it must be above zero; None sets no limit");
        }
        if self.max_frame_size < 125 {
            return fail("max_frame_size", self.max_frame_size as u128, "it must be at least 125 bytes");
        }
        // With zero a send would wait for room that never comes.
        if self.send_high_water == 0 && self.max_queued > 0 {
            return fail("send_high_water", 0, nonzero);
        }
        if self.max_queued < self.send_high_water.max(1) {
            let must = "it must be above zero and at least send_high_water";
            return fail("max_queued", self.max_queued as u128, must);
        }
        // With zero two ends that both send first would wait for each other.
        if self.max_read_ahead == 0 {
            return fail("max_read_ahead", 0, nonzero);
        }
        if let Some(limit) = self.max_memory {
            // With less, not a single compressed message might come through.
            if limit < LEAST_MEMORY {
                return fail("max_memory", limit as u128, "it must be at least 524288 bytes");
            }
            if limit < self.send_high_water {
                return fail("max_memory", limit as u128, "it must be at least send_high_water");
            }
        }
        // With zero the peer would see a reset in place of the Close that says why.
        if self.max_linger_bytes == 0 {
            return fail("max_linger_bytes", 0, nonzero);
        }
        let durations = [
            ("keepalive.interval", self.keepalive.map(|k| k.interval)),
            ("keepalive.timeout", self.keepalive.map(|k| k.timeout)),
            ("message_timeout", self.message_timeout),
            ("write_timeout", Some(self.write_timeout)),
            ("close_timeout", Some(self.close_timeout)),
            ("close_total_timeout", self.close_total_timeout),
            ("linger_timeout", Some(self.linger_timeout)),
        ];
        for (setting, value) in durations {
            if let Some(value) = value.filter(|value| *value < SHORTEST) {
                return fail(
                    setting,
                    value.as_nanos(),
                    "it is in nanoseconds, and must be at least 1000000 (1 ms)",
                );
            }
        }
        Ok(())
    }
}

/// What a read, the windows and the codecs of permessage-deflate take, in bytes, and some more for messages.
const LEAST_MEMORY: usize = 512 << 10;

/// Timers are no finer, and no peer can answer sooner.
const SHORTEST: Duration = Duration::from_millis(1);
