//! The opening handshake of the suite in both roles: correct in what it sends, lenient in what it receives.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

use crate::native::{
    deflate::{Agreed, Demand, Offer},
    http2::message,
    target::Address,
};

/// The head of a request or response: its first line, and the fields with names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The request line or status line.
    pub(crate) first: String,
    /// The fields in order, with names in lower case.
    pub(crate) fields: Vec<(String, String)>,
}

/// The maximum size of a head in bytes.
pub(crate) const LONGEST_HEAD: usize = 16 << 10;

impl Head {
    /// Parses the head at the beginning of `bytes` and returns it with its size; `None` when its end is missing.
    ///
    /// # Errors
    /// The head is too long or invalid.
    pub(crate) fn split(bytes: &[u8]) -> Result<Option<(Self, usize)>, String> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > LONGEST_HEAD {
                Err(format!("no end of the head within {LONGEST_HEAD} bytes"))
            } else {
                Ok(None)
            };
        };
        let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| match line.split_once(':') {
            Some((name, value)) => Ok((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => Err(format!("the line {line:?} of the head is not a field")),
        };
        let fields = lines.map(field).collect::<Result<_, String>>()?;
        Ok(Some((Self { first, fields }, end.saturating_add(4))))
    }

    /// Returns all values of a field.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether a field has this element; case is ignored.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name).iter().flat_map(|v| v.split(',')).any(|t| t.trim().eq_ignore_ascii_case(token))
    }
}

/// A client's request, with what is needed to check the answer.
#[derive(Debug)]
pub(crate) struct Request {
    /// The bytes.
    pub(crate) text: String,
    key: String,
}

impl Request {
    /// Creates a request for `path` at `host` with these offers (RFC 6455 section 4.1).
    pub(crate) fn new(host: &str, path: &str, offers: &[Offer]) -> Self {
        let key = new_key();
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        );
        if !offers.is_empty() {
            let offers: Vec<String> = offers.iter().map(Offer::text).collect();
            text.extend(["Sec-WebSocket-Extensions: ", &offers.join(", "), "\r\n"]);
        }
        text.push_str("\r\n");
        Self { text, key }
    }

    /// Checks the answer and returns the agreed parameters of permessage-deflate.
    ///
    /// # Errors
    /// The answer breaks a rule.
    pub(crate) fn check(&self, head: &Head) -> Result<Option<Agreed>, String> {
        // RFC 6455 section 4.1, the client's checks in order.
        let mut words = head.first.split(' ');
        if words.next() != Some("HTTP/1.1") || words.next() != Some("101") {
            return Err(format!("the answer is {:?}, not 101", head.first));
        }
        if !head.has_token("upgrade", "websocket") || !head.has_token("connection", "upgrade") {
            return Err("the answer does not say that it upgrades to websocket".to_owned());
        }
        if head.values("sec-websocket-accept") != [accept(&self.key)] {
            return Err("Sec-WebSocket-Accept does not match the key".to_owned());
        }
        Agreed::parse(&head.values("sec-websocket-extensions"))
    }
}

/// Returns the request for a WebSocket over HTTP/2 with these offers (RFC 8441 section 5).
pub(crate) fn connect_request(address: &Address, offers: &[Offer]) -> Vec<(String, String)> {
    let mut fields = message::extended_connect(address.http_scheme(), &address.authority, &address.path);
    fields.push(("user-agent".to_owned(), AGENT.to_owned()));
    if !offers.is_empty() {
        let offers: Vec<String> = offers.iter().map(Offer::text).collect();
        fields.push(("sec-websocket-extensions".to_owned(), offers.join(", ")));
    }
    fields
}

/// Checks the answer over HTTP/2 and returns the agreed parameters of permessage-deflate.
///
/// # Errors
/// The answer breaks a rule.
pub(crate) fn check_connect(head: &Head, offers: &[Offer]) -> Result<Option<Agreed>, String> {
    // RFC 8441 section 5: the status takes the place of 101, Upgrade, Connection and Sec-WebSocket-Accept.
    match message::status(head) {
        Some(200..=299) => {}
        _ => return Err(format!("the answer is {:?}, not 200", head.first)),
    }
    match Agreed::parse(&head.values("sec-websocket-extensions"))? {
        Some(_) if offers.is_empty() => {
            Err("the server agrees to an extension that was not offered".to_owned())
        }
        agreed => Ok(agreed),
    }
}

/// A client's request that was checked.
#[derive(Debug)]
pub(crate) struct CheckedRequest {
    /// The request target: path and query.
    pub(crate) target: String,
    key: String,
    offers: Vec<Offer>,
}

impl CheckedRequest {
    /// Checks a request (RFC 6455 section 4.2.1).
    ///
    /// # Errors
    /// The request breaks a rule.
    pub(crate) fn check(head: &Head) -> Result<Self, String> {
        let words: Vec<&str> = head.first.split(' ').collect();
        let ["GET", target, "HTTP/1.1"] = words[..] else {
            return Err(format!("the request is {:?}, not a GET of HTTP/1.1", head.first));
        };
        if head.values("host").len() != 1 {
            return Err("the request has no Host".to_owned());
        }
        if !head.has_token("upgrade", "websocket") || !head.has_token("connection", "upgrade") {
            return Err("the request does not upgrade to websocket".to_owned());
        }
        if head.values("sec-websocket-version") != ["13"] {
            return Err("the request is not for version 13".to_owned());
        }
        let key = match &head.values("sec-websocket-key")[..] {
            [key] if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) => key.clone(),
            _ => return Err("the request has no key of 16 bytes".to_owned()),
        };
        let offers = Offer::parse_all(&head.values("sec-websocket-extensions"));
        Ok(Self { target: target.to_owned(), key, offers })
    }

    /// Checks a request over HTTP/2 (RFC 8441 section 5).
    ///
    /// # Errors
    /// The request breaks a rule.
    pub(crate) fn check_connect(head: &Head) -> Result<Self, String> {
        let method = (head.values(":method"), head.values(":protocol"));
        if method != (vec!["CONNECT".to_owned()], vec!["websocket".to_owned()]) {
            return Err(format!("the request is {:?}, not a CONNECT for websocket", head.first));
        }
        if head.values("sec-websocket-version") != ["13"] {
            return Err("the request is not for version 13".to_owned());
        }
        match &head.values(":path")[..] {
            [path] => {
                let offers = Offer::parse_all(&head.values("sec-websocket-extensions"));
                Ok(Self { target: path.clone(), key: String::new(), offers })
            }
            _ => Err("the request has no :path".to_owned()),
        }
    }

    /// Returns the fields of the answer over HTTP/2 and the agreed parameters.
    pub(crate) fn answer_connect(&self, demands: &[Demand]) -> (Vec<(String, String)>, Option<Agreed>) {
        let mut fields = message::owned(&[(":status", "200"), ("server", AGENT)]);
        let agreed = Offer::accept(&self.offers, demands).map(|(answer, agreed)| {
            fields.push(("sec-websocket-extensions".to_owned(), answer));
            agreed
        });
        (fields, agreed)
    }

    /// Returns the answer and the agreed parameters; accepts the first offer that allows one of the demands.
    pub(crate) fn answer(&self, demands: &[Demand]) -> (String, Option<Agreed>) {
        let mut text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nServer: {AGENT}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
            accept(&self.key)
        );
        let agreed = Offer::accept(&self.offers, demands).map(|(answer, agreed)| {
            text.extend(["Sec-WebSocket-Extensions: ", &answer, "\r\n"]);
            agreed
        });
        text.push_str("\r\n");
        (text, agreed)
    }
}

/// The name of the suite in its heads.
const AGENT: &str = concat!("ws-autobahn/", env!("CARGO_PKG_VERSION"));

/// RFC 6455 section 4.2.2, number 5, point 4.
pub(crate) fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// Returns a new `Sec-WebSocket-Key`.
pub(crate) fn new_key() -> String {
    STANDARD.encode(nonce())
}

/// Returns sixteen bytes that differ for each connection.
fn nonce() -> [u8; 16] {
    let half = |n: u64| {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(n);
        hasher.finish()
    };
    (u128::from(half(0)) << 64 | u128::from(half(1))).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::split(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn the_key_of_rfc_6455_section_1_3_gives_the_accept_value_shown_there() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_request_of_the_suite_and_its_answer_accept_each_other() {
        let offers = [Offer { client_can_limit: true, ..Offer::default() }];
        let request = Request::new("example.org", "/chat?x=1", &offers);
        let asked = CheckedRequest::check(&head(&request.text)).unwrap();
        assert_eq!(asked.target, "/chat?x=1");
        let (answer, agreed) = asked.answer(&[Demand { no_takeover: true, bits: Some(9) }]);
        assert_eq!(request.check(&head(&answer)).unwrap(), agreed);
        assert_eq!(agreed.unwrap().client.bits, 9);
        assert_eq!(asked.answer(&[]).1, None);
        let other = Request::new("example.org", "/", &[]);
        assert!(other.check(&head(&answer)).unwrap_err().contains("does not match"));
    }

    #[test]
    fn a_request_over_http_2_and_its_answer_accept_each_other() {
        let address: Address = "wss://example.org:1/chat?x=1".parse().unwrap();
        let offers = [Offer { client_can_limit: true, ..Offer::default() }];
        let request = message::head(connect_request(&address, &offers));
        assert_eq!(request.values(":scheme"), ["https"]);
        let asked = CheckedRequest::check_connect(&request).unwrap();
        assert_eq!(asked.target, "/chat?x=1");
        let (answer, agreed) = asked.answer_connect(&[Demand { no_takeover: true, bits: Some(9) }]);
        assert_eq!(check_connect(&message::head(answer.clone()), &offers).unwrap(), agreed);
        assert!(agreed.is_some() && check_connect(&message::head(answer), &[]).is_err());
        assert!(check_connect(&message::head(message::owned(&[(":status", "404")])), &[]).is_err());
        for name in [":method", ":protocol", ":path", "sec-websocket-version"] {
            let fields = request.fields.iter().filter(|(n, _)| n != name).cloned().collect();
            assert!(CheckedRequest::check_connect(&message::head(fields)).is_err(), "{name}");
        }
    }

    #[test]
    fn an_http_head_is_split_off_and_one_without_end_is_refused() {
        let bytes = b"HTTP/1.1 101 X\r\nA:  b \r\na: c\r\n\r\n\x81\x00";
        let (head, size) = Head::split(bytes).unwrap().unwrap();
        assert_eq!((size, head.values("a")), (bytes.len() - 2, vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!(Head::split(b"HTTP/1.1 101").unwrap(), None);
        assert!(Head::split(&[b'x'; LONGEST_HEAD + 1]).is_err());
        assert!(Head::split(b"HTTP/1.1 101\r\nnonsense\r\n\r\n").is_err());
    }

    #[test]
    fn requests_and_answers_with_faults_are_refused() {
        let good = Request::new("h", "/", &[]).text;
        for (from, to) in
            [("GET", "POST"), ("Host", "Hoost"), ("websocket", "h2c"), ("13", "8"), ("-Key", "-Kei")]
        {
            assert!(CheckedRequest::check(&head(&good.replace(from, to))).is_err(), "{from}");
        }
        let request = Request::new("h", "/", &[]);
        let (answer, _) = CheckedRequest::check(&head(&request.text)).unwrap().answer(&[]);
        for (from, to) in [("101", "200"), ("websocket\r", "x\r"), ("Accept", "Akzept")] {
            assert!(request.check(&head(&answer.replace(from, to))).is_err(), "{from}");
        }
    }
}
