//! Where events go: lines of text, lines of JSON, or above the line being typed.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _, Write as _};

use rustyline::ExternalPrinter;

use crate::event::{Event, Payload};
use crate::failure::Failure;

/// Shows events.
pub(crate) enum Screen {
    /// One event a line.
    Json(Output),
    /// The messages and nothing else; binary ones as they are, or in hexadecimal.
    Lines { output: Output, raw: bool },
    /// For people: messages with a mark, and what happens to the connection.
    Terminal { printer: Box<dyn ExternalPrinter + Send>, colours: bool },
}

impl Screen {
    pub(crate) fn json() -> Self {
        Self::Json(Output::new())
    }

    /// Binary messages are written as they are if `raw`.
    pub(crate) fn lines(raw: bool) -> Self {
        Self::Lines { output: Output::new(), raw }
    }

    /// Writes an event, if it is one to write here.
    ///
    /// # Errors
    /// When the output is gone.
    pub(crate) fn show(&mut self, event: &Event<'_>) -> io::Result<()> {
        match self {
            Self::Json(output) => output.line(output.json(event.to_json()).as_bytes()),
            Self::Lines { output, raw } => match event {
                Event::Message { payload: Payload::Text(text), .. } => {
                    output.line(&output.safe(text.as_bytes()))
                }
                Event::Message { payload: Payload::Binary(bytes), .. } if *raw => {
                    output.line(&output.safe(bytes))
                }
                Event::Message { payload: Payload::Binary(bytes), .. } => {
                    output.line(hexadecimal(bytes).as_bytes())
                }
                _ => Ok(()),
            },
            // Pings are answered by themselves; a person need not see them.
            Self::Terminal { .. } if matches!(event, Event::Ping { .. }) => Ok(()),
            Self::Terminal { printer, colours } => {
                let line = painted(event, *colours);
                // Without the editor there is no line being typed.
                if printer.print(line.clone()).is_err() {
                    io::stdout().lock().write_all(line.as_bytes())?;
                }
                if let Event::Close { .. } = event {
                    self.settle();
                }
                Ok(())
            }
        }
    }

    /// Waits until everything is printed, because the process is about to end: the editor may hold one line that it has
    /// not printed yet, and has printed it when it takes the second of these lines, which leave no trace.
    pub(crate) fn settle(&mut self) {
        if let Self::Terminal { printer, .. } = self {
            for _ in 0..2 {
                // Without the editor everything has been printed.
                let _ = printer.print(UP_AND_DOWN.to_owned());
            }
        }
    }

    /// Shows a text about the session: above the line being typed, or on standard error.
    pub(crate) fn note(&mut self, text: &str) {
        match self {
            Self::Terminal { printer, colours } => {
                let text = visible(text);
                let line = if *colours { format!("{DIM}{text}{PLAIN}\n") } else { format!("{text}\n") };
                if printer.print(line.clone()).is_err() {
                    // It is not worth failing for.
                    let _ = io::stdout().lock().write_all(line.as_bytes());
                }
            }
            Self::Json(_) | Self::Lines { .. } => remark(text),
        }
    }

    /// Whether the end of a connection is an event to show.
    pub(crate) fn shows_closes(&self) -> bool {
        matches!(self, Self::Terminal { .. } | Self::Json(_))
    }

    /// Whether a person reads the output, rather than a program.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }
}

/// Standard output. If it is a terminal, what a server sends must not control it (move its cursor, change its title,
/// answer in the user's name); to a file or another program it goes unchanged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    terminal: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { terminal: io::stdout().is_terminal() }
    }

    /// Returns these bytes, for a terminal with symbols instead of control characters.
    fn safe<'a>(self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.terminal {
            return Cow::Borrowed(bytes);
        }
        Cow::Owned(visible(&String::from_utf8_lossy(bytes)).into_owned().into_bytes())
    }

    /// Returns this text, for a terminal with symbols instead of control characters.
    pub(crate) fn text(self, text: &str) -> Cow<'_, str> {
        if self.terminal { visible(text) } else { Cow::Borrowed(text) }
    }

    /// Returns this JSON, for a terminal with escapes for the characters that it may obey. JSON's strings have no control
    /// characters below U+0020, but may have those from U+007F to U+009F, and others that change the direction of text.
    pub(crate) fn json(self, text: String) -> String {
        if !self.terminal || !text.contains(is_command) {
            return text;
        }
        let mut escaped = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            if is_command(c) {
                // Writing to a String never fails.
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            } else {
                escaped.push(c);
            }
        }
        escaped
    }

    fn line(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

/// Writes to standard output and flushes it. A closed pipe is not a failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::output(&error)),
        _ => Ok(()),
    }
}

/// Writes one line to standard error; errors are ignored. It may quote the server, so control characters are always shown
/// as symbols.
pub(crate) fn remark(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "ws: {}", one_line(&text.to_string()));
}

fn one_line(text: &str) -> String {
    text.chars().map(symbol).collect()
}

/// An event as a person reads it, with the end of its line.
fn painted(event: &Event<'_>, colours: bool) -> String {
    let (colour, line) = match event {
        Event::Message { payload: Payload::Text(text), .. } => (GREEN, format!("< {text}")),
        Event::Message { payload: Payload::Binary(bytes), size } => {
            let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
            let ellipsis = if shown.len() < bytes.len() { " …" } else { "" };
            (CYAN, format!("< ({size} bytes) {}{ellipsis}", hexadecimal(shown)))
        }
        Event::Open { url, subprotocol, compressed, http, tls, took, .. } => {
            let took = took.as_secs_f64() * 1000.0;
            let mut line = format!("connected to {url} in {took:.1} ms, HTTP/{http}");
            for part in [*tls, *subprotocol, compressed.then_some("compressing")].into_iter().flatten() {
                line.push_str(", ");
                line.push_str(part);
            }
            (DIM, line + "; /help lists the commands, Ctrl-D closes")
        }
        Event::Ping { data } => (DIM, format!("ping ({} bytes)", data.len())),
        Event::Pong { rtt: Some(rtt), .. } => {
            (DIM, format!("pong after {:.1} ms", rtt.as_secs_f64() * 1000.0))
        }
        Event::Pong { data, rtt: None } => (DIM, format!("pong ({} bytes)", data.len())),
        Event::Close { code, reason, by, cause, .. } => {
            let by = if *by == "local" { "this end" } else { "the server" };
            let reason = if reason.is_empty() { String::new() } else { format!(", {:?}", reason) };
            (DIM, format!("closed by {by}: {cause}, {code}{reason}"))
        }
        Event::Error { message, .. } => (RED, message.to_string()),
    };
    let line = visible(&line);
    if colours { format!("{colour}{line}{PLAIN}\n") } else { format!("{line}\n") }
}

/// Replaces control characters by Unicode's symbols for them: a server must not control the terminal.
fn visible(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !is_command(c) || c == '\t' || c == '\n';
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if harmless(c) { c } else { symbol(c) }).collect())
}

/// Whether a terminal may obey a character instead of showing it: control characters, and those that change where lines
/// end and in which direction text runs.
fn is_command(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A control character as its symbol, any other as it is.
fn symbol(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        c if is_command(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len() * 3);
    for (i, byte) in bytes.iter().enumerate() {
        // Writing to a String never fails.
        let _ = write!(line, "{}{byte:02x}", if i == 0 { "" } else { " " });
    }
    line
}

/// The bytes of a binary message that are shown at a prompt.
const SHOWN_BYTES: usize = 64;

const UP_AND_DOWN: &str = "\x1b[A\n";
const PLAIN: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_control_the_terminal() {
        assert_eq!(visible("\x1b]0;title\x07 a\tb\nc\r \u{9b}2J\x7f"), "␛]0;title␇ a\tb\nc␍ \u{fffd}2J␡");
        assert_eq!(visible("a\u{202e}b\u{2028}c\u{2066}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert!(matches!(visible("plain ä"), Cow::Borrowed(_)));
        assert!(!painted(&Event::text("\x1b[31m"), false).contains('\x1b'));
    }

    #[test]
    fn a_remark_is_one_line_whatever_it_quotes() {
        assert_eq!(one_line("says: \x1b[2J\r\n\tws: \u{9b}"), "says: ␛[2J␍␊␉ws: \u{fffd}");
    }

    #[test]
    fn bytes_are_shown_in_hexadecimal_and_long_messages_end_in_an_ellipsis() {
        assert_eq!(hexadecimal(&[0, 0x0a, 0xff]), "00 0a ff");
        let line = painted(&Event::binary(&[1; 1000]), false);
        assert!(line.starts_with("< (1000 bytes) 01 01") && line.len() < 250, "{line}");
        assert!(line.ends_with(" 01 …\n"), "{line}");
        let whole = painted(&Event::binary(&[1; SHOWN_BYTES]), false);
        assert!(whole.ends_with(" 01 01\n"), "{whole}");
    }
}
