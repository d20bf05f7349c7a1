//! The request line, scanned strictly as its bytes arrive: RFC 9112 section 3.

use http::{Method, StatusCode, Uri, Version};

use super::cursor::Cursor;
use super::head::{HeadLimits, VERSION_END, expect_line_feed, is_version_byte, version_digits};
use super::head_error::HeadError;
use super::host::Authority;
use super::refusal::Refusal;
use super::token::is_tchar;

/// Scans `GET target HTTP/1.1` with its line end.
#[derive(Debug)]
pub(super) struct RequestLineScanner {
    state: State,
    method: Method,
    target: Uri,
    version: Version,
    target_limit: usize,
}

/// Where in the line the scan is. Each number is the index in the buffer at which that part begins.
#[derive(Debug)]
enum State {
    /// At the first byte of the connection.
    Start,
    /// Behind the CR of an empty line before the request line.
    EmptyLine,
    /// At the first byte of the line, after an empty one.
    MethodStart,
    Method {
        start: usize,
    },
    TargetStart,
    Target {
        start: usize,
    },
    Version {
        start: usize,
    },
    CarriageReturn,
    LineFeed,
}

impl RequestLineScanner {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self {
            state: State::Start,
            method: Method::GET,
            target: Uri::default(),
            version: Version::HTTP_11,
            target_limit: limits.target.min(MAX_TARGET),
        }
    }

    /// Whether the method is known to be HEAD, so that no answer has a body.
    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The method (GET or HEAD), the target and the version, once the line is whole.
    pub(super) fn next(
        &mut self,
        cursor: &mut Cursor,
        buffer: &[u8],
    ) -> Result<Option<(Method, Uri, Version)>, Refusal> {
        while let Some((at, byte)) = cursor.next(buffer)? {
            self.state = match self.state {
                // RFC 9112 §2.2: a server SHOULD ignore at least one empty line before the request line.
                State::Start if byte == b'\r' => State::EmptyLine,
                State::EmptyLine => {
                    expect_line_feed(byte).map_err(HeadError::StartLine)?;
                    State::MethodStart
                }
                State::MethodStart if byte == b'\r' => {
                    // Two empty lines are what a header of the PROXY protocol's version 2 begins with.
                    return Err(HeadError::StartLine(PROXY_VERSION_2).into());
                }
                State::Start if byte == TLS_HANDSHAKE => {
                    return Err(HeadError::StartLine(TLS_ON_A_PLAIN_PORT).into());
                }
                State::Start | State::MethodStart => {
                    // RFC 9112 §3.1: the method is a token.
                    expect(is_tchar(byte), "it does not begin with a method")?;
                    State::Method { start: at }
                }
                State::Method { start } if byte == b' ' => {
                    self.method = check_method(buffer.get(start..at).unwrap_or_default())?;
                    State::TargetStart
                }
                State::Method { start } => {
                    expect(is_tchar(byte), "the method is not a token")?;
                    State::Method { start }
                }
                State::TargetStart => {
                    // RFC 9112 §3.2.4: the asterisk form is for OPTIONS only; §3.2.3: the authority form for CONNECT.
                    expect(
                        byte == b'/' || byte.is_ascii_alphabetic(),
                        "the target is neither a path nor a URI",
                    )?;
                    State::Target { start: at }
                }
                State::Target { start } if byte == b' ' => {
                    self.target = parse_target(buffer.get(start..at))?;
                    State::Version { start: at.saturating_add(1) }
                }
                State::Target { start } => {
                    // RFC 3986 §2: a URI has no bytes beyond ASCII, in whichever encoding.
                    expect(
                        byte.is_ascii(),
                        "a byte beyond ASCII in the target; it has to be percent-encoded",
                    )?;
                    // RFC 9112 §3.2: a target has no whitespace; RFC 3986 §2: nor control characters.
                    expect(byte.is_ascii_graphic(), "a control character in the target")?;
                    // RFC 9112 §3.2: no form of the target has a fragment.
                    expect(byte != b'#', "a fragment in the target")?;
                    // RFC 9110 §4.1: a target that is too long gets 414.
                    if at.saturating_sub(start) >= self.target_limit {
                        return Err(HeadError::TargetTooLong { limit: self.target_limit }.into());
                    }
                    State::Target { start }
                }
                State::Version { start } => {
                    let index = at.saturating_sub(start);
                    expect(is_version_byte(index, byte), "the target is not followed by an HTTP version")?;
                    if index < VERSION_END {
                        State::Version { start }
                    } else {
                        self.version = parse_version(buffer.get(start..=at).unwrap_or_default())?;
                        State::CarriageReturn
                    }
                }
                State::CarriageReturn => {
                    // RFC 9112 §2.2: a line ends in CRLF; a lone LF is taken for smuggling.
                    expect(byte == b'\r', "the version is not followed by CRLF")?;
                    State::LineFeed
                }
                State::LineFeed => {
                    expect_line_feed(byte).map_err(HeadError::StartLine)?;
                    let target = std::mem::take(&mut self.target);
                    return Ok(Some((self.method.clone(), target, self.version)));
                }
            };
        }
        Ok(None)
    }
}

fn expect(condition: bool, otherwise: &'static str) -> Result<(), HeadError> {
    if condition { Ok(()) } else { Err(HeadError::StartLine(otherwise)) }
}

/// GET, or HEAD.
pub(super) fn check_method(method: &[u8]) -> Result<Method, Refusal> {
    match method {
        b"GET" => Ok(Method::GET),
        b"HEAD" => Ok(Method::HEAD),
        b"PROXY" => Err(HeadError::StartLine(PROXY_VERSION_1).into()),
        // RFC 6455 §4.2.1 item 1: the method of a handshake is GET.
        _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here")),
    }
}

/// Reads a target in origin form or absolute form (RFC 9112 sections 3.2.1 and 3.2.2).
fn parse_target(target: Option<&[u8]>) -> Result<Uri, HeadError> {
    let uri = Uri::try_from(target.unwrap_or_default())
        .map_err(|_| HeadError::StartLine("the target is not a valid URI"))?;
    check_target(&uri)?;
    Ok(uri)
}

/// Checks that a target is in one of the two forms.
pub(super) fn check_target(uri: &Uri) -> Result<(), HeadError> {
    if uri.path().starts_with('/') && uri.scheme().is_none() {
        return Ok(());
    }
    let scheme = uri.scheme_str().unwrap_or_default();
    // RFC 6455 §4.2.1 item 1 and RFC 9112 §3.2.2: an absolute target names an HTTP (or WebSocket) URI ...
    expect(
        SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)),
        "the target has an unknown scheme",
    )?;
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    // RFC 9110 §4.2.1 and §4.2.4: ... with a host, and without user information.
    expect(Authority::parse(authority).is_some(), "the target has no valid host")
}

fn parse_version(version: &[u8]) -> Result<Version, HeadError> {
    match version_digits(version) {
        // RFC 9112 §2.3: health checks and old programs come with 1.0; no WebSocket is opened for them.
        (1, 0) => Ok(Version::HTTP_10),
        // RFC 9110 §2.5: a higher minor version is read as 1.1.
        (1, 1..) => Ok(Version::HTTP_11),
        (major, minor) => Err(HeadError::Version { major, minor }),
    }
}

const PROXY_VERSION_1: &str = "it is a line of the PROXY protocol, which is not supported; turn it off in the load \
    balancer (haproxy: send-proxy; nginx: proxy_protocol)";
const PROXY_VERSION_2: &str = "it begins with two empty lines, as a header of the PROXY protocol version 2 does, which \
    is not supported; turn it off in the load balancer (haproxy: send-proxy-v2)";
const TLS_ON_A_PLAIN_PORT: &str =
    "it begins as TLS does, and this port takes plain HTTP; connect with ws:// or http://";

/// The type of a TLS record that holds a handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// The longest target that [`Uri`] can hold, in bytes.
const MAX_TARGET: usize = u16::MAX as usize - 1;
