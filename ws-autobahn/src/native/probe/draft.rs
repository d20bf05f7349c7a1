//! HTTP heads as bytes: a valid one, and the changes that cases make to it.

use crate::native::script::Delivery;

/// The head of a request or response to send. `{host}`, `{path}`, `{key}` and `{accept}` are replaced by the values of
/// the connection.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    first: String,
    fields: Vec<String>,
    line_end: &'static str,
    blank: &'static str,
    after: Vec<u8>,
    /// How the bytes are written to TCP.
    pub(crate) delivery: Delivery,
}

/// Returns the request of RFC 6455 section 4.1.
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

/// Returns the response of RFC 6455 section 4.2.2.
pub(crate) fn switching() -> Draft {
    Draft::new(
        "HTTP/1.1 101 Switching Protocols",
        &["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {accept}"],
    )
}

/// Returns bytes that are not a head.
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

    /// Replaces the first line.
    pub(crate) fn line(self, first: &str) -> Self {
        Self { first: first.to_owned(), ..self }
    }

    /// Removes the field of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|field| !is(field, name));
        self
    }

    /// Sets the value of a field.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        for field in self.fields.iter_mut().filter(|field| is(field, name)) {
            *field = format!("{name}: {value}");
        }
        self
    }

    /// Replaces the line of a field.
    pub(crate) fn replace(mut self, name: &str, line: impl Into<String>) -> Self {
        let line = line.into();
        for field in self.fields.iter_mut().filter(|field| is(field, name)) {
            field.clone_from(&line);
        }
        self
    }

    /// Adds a line.
    pub(crate) fn with(mut self, line: impl Into<String>) -> Self {
        self.fields.push(line.into());
        self
    }

    /// Adds a line before all fields.
    pub(crate) fn with_first(mut self, line: &str) -> Self {
        self.fields.insert(0, line.to_owned());
        self
    }

    /// Adds this line this many times; `#` is replaced by its number.
    pub(crate) fn with_many(mut self, count: usize, line: &str) -> Self {
        self.fields.extend((0..count).map(|n| line.replace('#', &n.to_string())));
        self
    }

    /// Sets the line ending.
    pub(crate) fn line_end(self, line_end: &'static str) -> Self {
        Self { line_end, blank: line_end, ..self }
    }

    /// Removes the empty line at the end of the head.
    pub(crate) fn endless(self) -> Self {
        Self { blank: "", ..self }
    }

    /// Adds these bytes after the head, in the same write.
    pub(crate) fn followed_by(self, after: impl Into<Vec<u8>>) -> Self {
        Self { after: after.into(), ..self }
    }

    /// Adds these bytes before the head.
    pub(crate) fn after(mut self, before: &str) -> Self {
        self.first.insert_str(0, before);
        self
    }

    /// Sets how the bytes are written to TCP.
    pub(crate) fn delivered(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    /// Returns the bytes, with the values for the names in braces.
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

    /// Returns all values of a field, joined by commas.
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
