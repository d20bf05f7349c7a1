//! What is settable for topics on several servers.

use std::time::Duration;

use ws_tokio::ws_core::SettingError;

/// The settings of [`Topics::clustered`](crate::Topics::clustered), each with a default; every bound is a hard one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterOptions {
    /// How often a server reports to the others what it has published. Default: one second.
    pub heartbeat: Duration,
    /// After this many heartbeats that did not arrive a server counts as gone, and a connection to the backplane as lost. Default: 3.
    pub missed_heartbeats: u32,
    /// How long a server stays subscribed to a topic that its last subscriber has left. Default: 10 seconds.
    pub linger: Duration,
    /// After how long the log of a durable topic is read though nothing was heard of it, on average. Default: 5 seconds.
    pub check_interval: Duration,
    /// How long connecting to the backplane may take. Default: 10 seconds.
    pub connect_timeout: Duration,
    /// How long the first wait after a lost connection is at most; it doubles with each attempt that fails, and each wait is a random part of
    /// it. Default: 100 milliseconds.
    pub backoff: Duration,
    /// How long a wait becomes at most. Default: 10 seconds.
    pub max_backoff: Duration,
    /// For how long a durable message that may or may not be stored is sent again; then its outcome stays unknown. Default: 50 seconds. The backplane recognises a
    /// repetition for a minute at least.
    pub retry: Duration,
    /// How many messages may wait to be sent to other servers. Default: 16,384.
    pub max_outgoing_messages: usize,
    /// How many bytes may wait to be sent to other servers; each message counts as its payload and 512 bytes. Default: 16 MiB. Beyond the bounds a live message
    /// does not reach other servers, which report the gap.
    pub max_outgoing_bytes: usize,
    /// How many durable messages may wait to be stored. Default: 16,384.
    pub max_unstored_messages: usize,
    /// How many bytes of durable messages may wait to be stored, counted likewise. Default: 16 MiB. Beyond the bounds a durable message is refused with
    /// [`TopicError::BackplaneFull`](crate::TopicError::BackplaneFull).
    pub max_unstored_bytes: usize,
    /// How many pairs of a topic and a server that publishes to it are numbered at a time. Default: 262,144. From three quarters of it on, topics that arrive by
    /// a filter and of which nothing has been heard for four times the age of a silent server (12 s by default) are forgotten. Beyond the bound each message of
    /// another pair comes with a gap mark of unknown size.
    pub max_numbered: usize,
    /// How many members of other servers one topic lists. Default: 16,384; those beyond are left out.
    pub max_remote_members: usize,
    /// How many events may wait to be taken. Default: 256.
    pub max_events: usize,
    /// What random waits and names follow from. Default: `None`, by chance. For simulations.
    pub seed: Option<u64>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(1),
            missed_heartbeats: 3,
            linger: Duration::from_secs(10),
            check_interval: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            retry: Duration::from_secs(50),
            max_outgoing_messages: 16_384,
            max_outgoing_bytes: 16 << 20,
            max_unstored_messages: 16_384,
            max_unstored_bytes: 16 << 20,
            max_numbered: 262_144,
            max_remote_members: 16_384,
            max_events: 256,
            seed: None,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {
        impl ClusterOptions {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub const fn $name(mut self, $name: $type) -> Self {
                    self.$name = $name;
                    self
                }
            )*
        }
    };
}

setters!(
    heartbeat: Duration,
    missed_heartbeats: u32,
    linger: Duration,
    check_interval: Duration,
    connect_timeout: Duration,
    backoff: Duration,
    max_backoff: Duration,
    retry: Duration,
    max_outgoing_messages: usize,
    max_outgoing_bytes: usize,
    max_unstored_messages: usize,
    max_unstored_bytes: usize,
    max_numbered: usize,
    max_remote_members: usize,
    max_events: usize,
    seed: Option<u64>,
);

impl ClusterOptions {
    /// Errors if a setting is not possible.
    ///
    /// # Errors
    /// [`SettingError`] names it.
    pub fn check(&self) -> Result<(), SettingError> {
        let durations = [
            ("heartbeat", self.heartbeat),
            ("check_interval", self.check_interval),
            ("connect_timeout", self.connect_timeout),
            ("backoff", self.backoff),
        ];
        if let Some((setting, _)) = durations.into_iter().find(|(_, value)| value.is_zero()) {
            return Err(SettingError::new(setting, "0", "it must be longer than zero"));
        }
        if self.retry > MAX_RETRY {
            let seconds = self.retry.as_secs();
            return Err(SettingError::new("retry", format!("{seconds} s"), "it must be at most 55 s"));
        }
        let limits = [
            ("missed_heartbeats", self.missed_heartbeats as usize),
            ("max_outgoing_messages", self.max_outgoing_messages),
            ("max_outgoing_bytes", self.max_outgoing_bytes),
            ("max_unstored_messages", self.max_unstored_messages),
            ("max_unstored_bytes", self.max_unstored_bytes),
            ("max_numbered", self.max_numbered),
            ("max_events", self.max_events),
        ];
        match limits.into_iter().find(|(_, value)| *value == 0) {
            Some((setting, value)) => Err(SettingError::new(setting, value, "it must be at least 1")),
            None => Ok(()),
        }
    }

    /// After how long without a heartbeat a server is gone.
    pub(crate) fn max_age(&self) -> Duration {
        self.heartbeat.saturating_mul(self.missed_heartbeats)
    }
}

/// A backplane recognises what is sent again for a minute; the last attempt takes a while, too.
const MAX_RETRY: Duration = Duration::from_secs(55);
