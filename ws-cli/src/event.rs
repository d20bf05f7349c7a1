//! What happens on a connection, as `--json` writes it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use ws_client::ws_core::{CloseInfo, Initiator};

/// One thing that happened. Units and meanings are in `ws --help`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event<'a> {
    Open {
        url: &'a str,
        subprotocol: Option<&'a str>,
        compressed: bool,
        http: &'static str,
        tls: Option<&'static str>,
        peer: Option<SocketAddr>,
        #[serde(rename = "took_ms", serialize_with = "milliseconds")]
        took: Duration,
    },
    Message {
        #[serde(flatten)]
        payload: Payload<'a>,
        size: usize,
    },
    Ping {
        #[serde(serialize_with = "base64")]
        data: &'a [u8],
    },
    Pong {
        #[serde(serialize_with = "base64")]
        data: &'a [u8],
        #[serde(rename = "rtt_ms", serialize_with = "some_milliseconds")]
        rtt: Option<Duration>,
    },
    Close {
        code: u16,
        reason: &'a str,
        clean: bool,
        by: &'static str,
        cause: String,
    },
    Error {
        status: u8,
        message: Cow<'a, str>,
    },
}

/// What a message carries.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub(crate) enum Payload<'a> {
    Text(&'a str),
    #[serde(serialize_with = "base64")]
    Binary(&'a [u8]),
}

impl<'a> Event<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Message { payload: Payload::Text(text), size: text.len() }
    }

    pub(crate) fn binary(bytes: &'a [u8]) -> Self {
        Self::Message { payload: Payload::Binary(bytes), size: bytes.len() }
    }

    pub(crate) fn close(info: &'a CloseInfo) -> Self {
        Self::Close {
            code: info.code().into(),
            reason: &info.reason,
            clean: info.is_clean(),
            by: match info.initiator {
                Initiator::Local => "local",
                Initiator::Remote => "remote",
            },
            cause: info.cause.to_string(),
        }
    }

    /// One line of JSON, without its end.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(serialize_with = "now")]
            time: (),
            #[serde(flatten)]
            event: &'a Event<'a>,
        }
        // Nothing in it can fail: the keys are strings, the numbers finite.
        serde_json::to_string(&Line { time: (), event: self }).unwrap_or_default()
    }
}

#[expect(clippy::disallowed_methods, reason = "a date for people to read; nothing is measured by it")]
fn now<S: Serializer>((): &(), to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_millis(SystemTime::now()))
}

fn base64<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(bytes))
}

fn milliseconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    // To the microsecond: what is below is noise.
    to.serialize_f64(duration.as_micros() as f64 / 1000.0)
}

fn some_milliseconds<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => milliseconds(duration, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(event: &Event<'_>) -> serde_json::Value {
        serde_json::from_str(&event.to_json()).unwrap()
    }

    #[test]
    fn a_message_has_its_type_and_binary_is_base64() {
        let text = json(&Event::text("h\u{e4}\n"));
        assert_eq!((&text["event"], &text["type"]), (&"message".into(), &"text".into()));
        assert_eq!((&text["data"], &text["size"]), (&"h\u{e4}\n".into(), &4.into()));
        let binary = json(&Event::binary(&[0, 255]));
        assert_eq!(
            (&binary["type"], &binary["data"], &binary["size"]),
            (&"binary".into(), &"AP8=".into(), &2.into())
        );
    }

    #[test]
    fn every_event_is_one_line_and_has_its_time() {
        let pong = Event::Pong { data: b"\n", rtt: Some(Duration::from_micros(1500)) };
        assert!(!pong.to_json().contains('\n'));
        let pong = json(&pong);
        assert_eq!(pong["rtt_ms"], 1.5);
        let time = pong["time"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
        assert_eq!(json(&Event::Pong { data: b"", rtt: None })["rtt_ms"], serde_json::Value::Null);
    }
}
