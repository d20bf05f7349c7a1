//! Heads as bytes: a good one, and everything that can be done to it.

use crate::native::script::Delivery;

/// The head of a request or a response that is to be sent. `{host}`, `{path}`, `{key}` and `{accept}` stand for what
/// the connection gives them.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    first: String,
    fields: Vec<String>,
    line_end: &'static str,
    blank: &'static str,
    after: Vec<u8>,
    /// How the bytes are given to TCP.
    pub(crate) delivery: Delivery,
}

/// The request of RFC 6455 section 4.1.
pub(crate) fn upgrade() -> Draft {
    Draft::new(
        "GET {path} HTTP/1.1",
        &[
            "Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ],
    )
}

/// The response of RFC 6455 section 4.2.2.
pub(crate) fn switching() -> Draft {
    Draft::new(
        "HTTP/1.1 101 Switching Protocols",
        &["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {accept}"],
    )
}

/// Bytes that are no head at all.
pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Draft {
    Draft { line_end: "", blank: "", after: bytes.into(), ..Draft::new("", &[]) }
}

impl Draft {
    fn new(first: &str, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        let (line_end, blank) = ("\r\n", "\r\n");
        Self {
            first: first.to_owned(),
            fields,
            line_end,
            blank,
            after: Vec::new(),
            delivery: Delivery::Joined,
        }
    }

    /// Has another first line.
    pub(crate) fn line(self, first: &str) -> Self {
        Self { first: first.to_owned(), ..self }
    }

    /// Has no field of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|field| !is(field, name));
        self
    }

    /// The field has another value.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        for field in self.fields.iter_mut().filter(|field| is(field, name)) {
            *field = format!("{name}: {value}");
        }
        self
    }

    /// The line of a field is another.
    pub(crate) fn replace(mut self, name: &str, line: impl Into<String>) -> Self {
        let line = line.into();
        for field in self.fields.iter_mut().filter(|field| is(field, name)) {
            field.clone_from(&line);
        }
        self
    }

    /// Has another line.
    pub(crate) fn with(mut self, line: impl Into<String>) -> Self {
        self.fields.push(line.into());
        self
    }

    /// Has another line before all others.
    pub(crate) fn with_first(mut self, line: &str) -> Self {
        self.fields.insert(0, line.to_owned());
        self
    }

    /// Has this line this many times, each with its number for `#`.
    pub(crate) fn with_many(mut self, count: usize, line: &str) -> Self {
        self.fields.extend((0..count).map(|n| line.replace('#', &n.to_string())));
        self
    }

    /// Lines end like this.
    pub(crate) fn line_end(self, line_end: &'static str) -> Self {
        Self { line_end, blank: line_end, ..self }
    }

    /// The end of the head is missing.
    pub(crate) fn endless(self) -> Self {
        Self { blank: "", ..self }
    }

    /// Is followed by these bytes in the same write.
    pub(crate) fn followed_by(self, after: impl Into<Vec<u8>>) -> Self {
        Self { after: after.into(), ..self }
    }

    /// Is preceded by these bytes.
    pub(crate) fn after(mut self, before: &str) -> Self {
        self.first.insert_str(0, before);
        self
    }

    /// Is given to TCP like this.
    pub(crate) fn delivered(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    /// The bytes, with the values for the words in braces.
    pub(crate) fn encode(&self, values: &[(&str, &str)]) -> Vec<u8> {
        let mut text = self.first.clone();
        text.push_str(self.line_end);
        for field in &self.fields {
            text.push_str(field);
            text.push_str(self.line_end);
        }
        text.push_str(self.blank);
        for (name, value) in values {
            text = text.replace(name, value);
        }
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.after);
        bytes
    }

    /// What a field of this head says, all its values together.
    pub(crate) fn value(&self, name: &str) -> String {
        let values = self.fields.iter().filter(|field| is(field, name));
        values.filter_map(|field| field.split_once(':')).map(|(_, value)| value).collect::<Vec<_>>().join(",")
    }
}

fn is(field: &str, name: &str) -> bool {
    field.split_once(':').is_some_and(|(n, _)| n.trim().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_of_a_head_is_changed_line_by_line() {
        let head =
            switching().set("Upgrade", "WebSocket").without("Connection").with("X: 1").followed_by("!");
        let text = String::from_utf8(head.encode(&[("{accept}", "abc")])).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: abc\r\nX: 1\r\n\r\n!"
        );
        assert_eq!(head.value("x"), " 1");
        assert_eq!(bytes("x").encode(&[]), b"x");
    }
}
