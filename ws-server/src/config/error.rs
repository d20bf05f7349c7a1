//! What can go wrong before a connection is open: settings, addresses, the opening handshake.

use std::io;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;
pub use ws_core::SettingError;
use ws_core::handshake::{Refusal, ResponseError};

/// A server could not be built.
#[derive(Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {}", listen_advice(.source))]
    Bind {
        /// The address as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A descriptor that has been passed to the process cannot be listened on.
    #[cfg(all(unix, feature = "service"))]
    #[cfg_attr(docsrs, doc(cfg(all(unix, feature = "service"))))]
    #[error("cannot take the sockets that LISTEN_FDS passes: {0}")]
    Inherit(#[source] io::Error),
}

/// A stream did not become a WebSocket. The peer has been answered where it could be.
#[derive(Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The transport failed.
    #[error("the transport failed in the opening handshake: {0}")]
    Io(#[from] io::Error),
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The peer went away before its request was whole.
    #[error("the peer closed the connection in the opening handshake")]
    Closed,
    /// The opening handshake was not done in time.
    #[error("the opening handshake was not done within handshake.timeout = {0:?}")]
    Timeout(Duration),
    /// No header of the PROXY protocol arrived in time from a trusted proxy.
    #[error(
        "no header of the PROXY protocol arrived within handshake.proxies.proxy_protocol_timeout = {0:?}; turn it on in \
         the load balancer, or take the peer off handshake.proxies.trusted"
    )]
    ProxyTimeout(Duration),
    /// As many handshakes are in progress as may be, this one stood still, and a newer one took its place.
    #[error(
        "the opening handshake stood still and made room for a newer one: max_handshakes are in progress"
    )]
    Displaced,
    /// The server shuts down, and the request was not whole in time.
    #[error("the server shuts down, and the request is not whole")]
    ShuttingDown,
    /// The HTTP server that had read the request did not hand over its connection.
    #[cfg(feature = "hyper")]
    #[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
    #[error("the HTTP server did not hand over the connection: {0}")]
    Upgrade(#[source] hyper::Error),
    /// The request breaks HTTP, RFC 6455 or a limit; this is the answer that the peer was sent.
    #[error("the opening handshake is malformed or over a limit and was answered with {0}")]
    Malformed(Refusal),
    /// The request comes from a page that the [`OriginPolicy`](crate::OriginPolicy) does not allow, or is addressed to
    /// a host that the [`HostPolicy`](crate::HostPolicy) does not allow; this is the answer that the peer was sent.
    #[error("the opening handshake was refused with {0}")]
    NotAllowed(Refusal),
    /// A guard refused the request; this is the status the peer was sent.
    #[error("the opening handshake was refused with status {0}")]
    Refused(StatusCode),
    /// No endpoint is at the path of the request; the peer has been sent status 404.
    #[error("the opening handshake was refused with status 404 Not Found: no endpoint is at its path")]
    NoEndpoint,
    /// The server shuts down, and opens no more WebSockets; the peer has been sent status 503.
    #[error("the opening handshake was refused with status 503 Service Unavailable: the server shuts down")]
    Closing,
    /// The program is not set up for the request, as the log says; this is the status the peer was sent.
    #[error("the opening handshake was refused with status {0}: the program is not set up for it")]
    NotSetUp(StatusCode),
    /// A limit of the server leaves no room for it; this is the status the peer was sent, and the setting with the limit.
    #[error("the opening handshake was refused with status {status}: {limit} is reached")]
    Limited {
        /// 503, or 429 for a limit of one address.
        status: StatusCode,
        /// The name of the setting in [`ServerOptions`](crate::ServerOptions).
        limit: &'static str,
    },
    /// The request was no opening handshake and has been answered as plain HTTP.
    #[error("the request was answered as plain HTTP with status {0}")]
    Plain(StatusCode),
    /// A guard or a page panicked, with this text; the peer has been sent status 500.
    #[error("a guard or a page panicked: {0}")]
    Panicked(String),
    /// What this end wanted to answer is not valid HTTP; nothing of it was written, the peer has
    /// been sent status 500.
    #[error("the answer must not be written: {0}")]
    Answer(#[source] ResponseError),
}

impl AcceptError {
    /// What to report after the attempt to write its answer: a refusal as it is, also if the peer was gone, and a page only if the peer has taken it.
    pub(crate) fn after(self, answered: Result<(), impl Into<Self>>) -> Self {
        match (self, answered) {
            (Self::Plain(_), Err(error)) => error.into(),
            (outcome, _) => outcome,
        }
    }

    /// The reason in the metrics; one of a few.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Refused(_) => "guard",
            Self::NotAllowed(refusal) if refusal.status() == StatusCode::MISDIRECTED_REQUEST => "host",
            Self::NotAllowed(_) => "origin",
            Self::NoEndpoint => "no_endpoint",
            Self::Limited { limit, .. } => limit,
            Self::Closing | Self::ShuttingDown => "shutting_down",
            Self::Panicked(_) => "panic",
            Self::NotSetUp(_) | Self::Answer(_) => "internal",
            Self::Plain(_) => "plain",
            Self::Io(_) => "io",
            Self::Tls(_) => "tls",
            Self::Closed => "closed",
            Self::Timeout(_) => "timeout",
            Self::ProxyTimeout(_) => "proxy_timeout",
            Self::Displaced => "displaced",
            #[cfg(feature = "hyper")]
            Self::Upgrade(_) => "upgrade",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// Makes the `Debug` output of errors their `Display` text: a program that returns an error from `main` prints the
/// former, and its user is to see one line that says what to do.
macro_rules! debug_as_display {
    ($($error:ty),*) => {$(
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

debug_as_display!(BuildError, AcceptError);

fn listen_advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken by another program; stop it or choose another port (0 picks a free one)".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".into(),
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need privileges, choose a higher one".into()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_error_names_setting_value_and_remedy() {
        let error = SettingError::new("handshake.timeout", "0ns", "it must be longer than zero");
        assert_eq!(error.to_string(), "handshake.timeout = 0ns is not possible: it must be longer than zero");
    }

    #[test]
    fn a_taken_port_says_what_to_do() {
        let error =
            BuildError::Bind { address: "127.0.0.1:9001".into(), source: io::ErrorKind::AddrInUse.into() };
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:9001") && text.contains("choose another port"), "{text}");
        assert!(!text.contains('\n'));
        assert_eq!(format!("{error:?}"), text, "what `main` prints");
    }

    #[test]
    fn an_address_that_cannot_be_listened_on_says_why_in_plain_words() {
        for (kind, advice) in [
            (io::ErrorKind::AddrNotAvailable, "this machine does not have that address"),
            (io::ErrorKind::PermissionDenied, "ports below 1024 need privileges"),
        ] {
            let error = BuildError::Bind { address: "192.0.2.1:80".into(), source: kind.into() };
            let text = error.to_string();
            assert!(text.contains("192.0.2.1:80") && text.contains(advice), "{text}");
        }
    }
}
