//! How `ws` ends: exit status, and one line about what went wrong and what to do.

use std::process::ExitCode;

use ws_client::ws_core::{CloseCause, CloseInfo, Deadline, ProtocolError, TransportEnd};
use ws_client::ws_tokio::Error;
use ws_client::{Blame, CloseCode, Config, ConnectError, Retry, SettingError, rustls};

/// The exit status; `ws --help` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    Other,
    Usage,
    Network,
    Refused,
    Protocol,
    Tls,
    Timeout,
    /// By this signal's number.
    Signal(u8),
}

/// Why a command failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    pub(crate) message: String,
}

impl Status {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::Network => 3,
            Self::Refused => 4,
            Self::Protocol => 5,
            Self::Tls => 6,
            Self::Timeout => 7,
            // As shells report a program that a signal has ended.
            Self::Signal(number) => 128 + number,
        }
    }

    /// The status for the end of an open connection.
    pub(crate) fn of_end(info: &CloseInfo) -> Self {
        match info.cause {
            CloseCause::Handshake => match info.code() {
                CloseCode::NORMAL_CLOSURE | CloseCode::GOING_AWAY | CloseCode::NO_STATUS_RECEIVED => {
                    Self::Success
                }
                _ => Self::Other,
            },
            CloseCause::Protocol(_) => Self::Protocol,
            CloseCause::Timeout(_) => Self::Timeout,
            _ => Self::Network,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        status.code().into()
    }
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Status::Usage, message)
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::new(Status::Other, message)
    }

    /// A signal that arrived before the connection was open.
    pub(crate) fn interrupted(signal: Status) -> Self {
        Self::new(signal, "interrupted before the connection was open")
    }

    /// Standard output cannot be written.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        Self::other(format!("standard output: {error}"))
    }

    /// Describes why there is a wait before the next attempt to connect, and how long it is.
    pub(crate) fn of_wait(retry: &Retry<'_>) -> String {
        let delay = retry.delay.as_secs_f64();
        match retry.error {
            None => format!("connecting again in {delay:.1} s"),
            Some(error) => {
                let Self { message, .. } = error.into();
                format!("{message}; attempt {} failed, trying again in {delay:.1} s", retry.failures)
            }
        }
    }

    /// The end of a connection that was open.
    pub(crate) fn of_end(info: &CloseInfo) -> Self {
        Self::new(Status::of_end(info), ending(info))
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        (&error).into()
    }
}

impl From<&ConnectError> for Failure {
    fn from(error: &ConnectError) -> Self {
        let status = match error {
            ConnectError::Refused(_) => Status::Refused,
            ConnectError::Timeout { .. } => Status::Timeout,
            ConnectError::Tls(tls) => match tls.rustls() {
                // The server does not speak TLS.
                Some(rustls::Error::InvalidMessage(_)) => Status::Protocol,
                Some(_) => Status::Tls,
                None => Status::Network,
            },
            ConnectError::TlsExpected { .. } => Status::Protocol,
            error => match error.blame() {
                Blame::Caller => Status::Usage,
                Blame::Server => Status::Protocol,
                _ => Status::Network,
            },
        };
        Self::new(status, in_options(error.to_string()))
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        ConnectError::from(error).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Closed(info) => Self::of_end(&info),
            Error::Protocol(_) => Self::new(Status::Protocol, in_options(error.to_string())),
            Error::Io(_) => Self::new(Status::Network, error.to_string()),
            _ => Self::other(error.to_string()),
        }
    }
}

/// Says how a connection ended, beginning with the side that ended it.
pub(crate) fn ending(info: &CloseInfo) -> String {
    let what = match info.cause {
        CloseCause::Handshake => {
            let code = info.code();
            let reason =
                if info.reason.is_empty() { String::new() } else { format!(": {:?}", &*info.reason) };
            format!("the server closed with {code}{}{reason}", meaning(code))
        }
        // The message names the setting.
        CloseCause::Protocol(error) if is_limit(&error) => {
            format!("the server sent too much: {}", in_options(error.to_string()))
        }
        CloseCause::Protocol(error) => format!("the server broke the protocol: {error}"),
        CloseCause::Transport(TransportEnd::Eof) => {
            "the server, or a proxy, ended the connection without a closing handshake".into()
        }
        CloseCause::Transport(TransportEnd::Reset) => {
            "the server, or a proxy, reset the connection without a closing handshake".into()
        }
        CloseCause::Timeout(Deadline::Keepalive) => {
            "the server, or the network, is silent: it does not answer pings".into()
        }
        CloseCause::Timeout(Deadline::Write) => {
            format!(
                "the server, or the network, accepts no more: nothing could be written for {:?}",
                Config::client().write_timeout
            )
        }
        CloseCause::Timeout(Deadline::Close) => {
            format!(
                "the server did not close: no answer to the Close for {:?}",
                Config::client().close_timeout
            )
        }
        cause => format!("the connection is lost: {cause}"),
    };
    match info.unsent {
        0 => what,
        unsent => format!("{what}; {unsent} bytes were not sent"),
    }
}

/// Whether the peer keeps to the protocol, but exceeds a limit of this end.
fn is_limit(error: &ProtocolError) -> bool {
    use ProtocolError as P;
    matches!(
        error,
        P::MessageTooBig { .. }
            | P::StreamTooBig { .. }
            | P::TooManyControlFrames { .. }
            | P::TooManyFragments { .. }
            | P::MessageStalled { .. }
            | P::MemoryLimit { .. }
    )
}

/// What a server means by a code (RFC 6455 section 7.4.1, and IANA's registry).
fn meaning(code: CloseCode) -> &'static str {
    match code {
        CloseCode::PROTOCOL_ERROR => " (this end broke the protocol)",
        CloseCode::UNSUPPORTED_DATA => " (it does not take such messages)",
        CloseCode::INVALID_FRAME_PAYLOAD_DATA => " (a message is not what its type says)",
        CloseCode::POLICY_VIOLATION => " (against its policy)",
        CloseCode::MESSAGE_TOO_BIG => " (a message is too big for it)",
        CloseCode::INTERNAL_ERROR => " (it failed)",
        CloseCode::SERVICE_RESTART => " (it restarts)",
        CloseCode::TRY_AGAIN_LATER => " (try again later)",
        _ => "",
    }
}

/// Replaces the settings that the library's messages name by the options that set them.
pub(crate) fn in_options(message: String) -> String {
    SETTINGS.iter().fold(message, |message, (setting, option)| message.replace(setting, option))
}

const SETTINGS: [(&str, &str); 10] = [
    ("to Tls::from_root_pem", "as --cacert FILE"),
    ("set Options::max_redirects to follow", "give --redirects COUNT to follow"),
    ("`Request::subprotocol`", "--subprotocol NAME"),
    ("`Options::deflate`", "--compress"),
    // The longer one first.
    ("set Options::http_version to HttpVersion::Http2IfOffered or HttpVersion::Http1", "leave out --http2"),
    ("set Options::http_version to HttpVersion::Http1", "leave out --http2"),
    ("opening_timeout =", "--timeout ="),
    ("max_message_size =", "--max-size ="),
    ("as an Authorization field `Bearer TOKEN`", "as --header 'Authorization: Bearer TOKEN'"),
    ("as an Authorization field", "as --header 'Authorization: …'"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_a_number_of_its_own() {
        use Status::*;
        let all = [Success, Other, Usage, Network, Refused, Protocol, Tls, Timeout, Signal(2), Signal(15)];
        let codes: std::collections::BTreeSet<u8> = all.iter().map(|status| status.code()).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7, 130, 143]);
    }
}
