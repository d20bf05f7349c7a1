//! How far the closing of a connection is, and what is known of its end.

/// How far closing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No Close was sent.
    Open,
    /// The suite has sent its Close and waits for the peer's.
    Closing,
    /// Both have been sent: the server, which is under test, ends the TCP connection (RFC 6455 section 7.1.1).
    Closed,
    /// The suite ends the TCP connection.
    Over,
}

/// What is known of the end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// Whether the suite's Close came first.
    pub(crate) closed_by_suite: bool,
    /// Whether the suite failed the connection.
    pub(crate) failed_by_suite: bool,
    /// Whether the suite ended the TCP connection.
    pub(crate) dropped_by_suite: bool,
    /// Whether both Closes were exchanged.
    pub(crate) clean: bool,
    /// The code of the peer's Close.
    pub(crate) code: Option<u16>,
    /// Why it is not clean, or what the peer did wrong.
    pub(crate) note: Option<String>,
}
