//! The phases of closing a connection, and what is known about its end.

/// The phase of closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No Close was sent.
    Open,
    /// The suite has sent its Close and waits for the peer's.
    Closing,
    /// Both Closes have been sent: the tested server ends the TCP connection (RFC 6455 section 7.1.1).
    Closed,
    /// The suite ends the TCP connection.
    Over,
}

/// What is known about the end of a connection.
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
    /// Why the end is not clean, or what the peer did wrong.
    pub(crate) note: Option<String>,
}
