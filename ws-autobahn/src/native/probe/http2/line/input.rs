//! Receiving: the frames, heads and bytes of the peer.

use super::Connection;
use crate::{
    native::{
        handshake::Head,
        http2::{
            frames::{
                ACK, CONTINUATION, DATA, ENABLE_CONNECT_PROTOCOL, END_HEADERS, Frame, GOAWAY, HEADERS,
                INITIAL_WINDOW_SIZE, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame as new_frame,
                window_update,
            },
            message,
        },
        probe::{line::agreed, want::Seen},
        target::Wire,
    },
    role::Role,
};

/// Fields that have a meaning for one connection of HTTP/1.1 (RFC 9113 section 8.2.2).
const CONNECTION_SPECIFIC: [&str; 5] =
    ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"];
/// The longest field block.
const LONGEST_BLOCK: usize = 256 << 10;

impl<S: Wire> Connection<S> {
    /// Receives bytes from the peer.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        if self.preface_missing {
            if self.input.len() < PREFACE.len() && PREFACE.starts_with(&self.input) {
                return;
            }
            if !self.input.starts_with(PREFACE) {
                self.input.clear();
                return self.wrong(0, "something other than the preface of HTTP/2".to_owned());
            }
            self.input.drain(..PREFACE.len());
            self.preface_missing = false;
        }
        let mut input = std::mem::take(&mut self.input);
        let mut at = 0usize;
        while let Some((frame, size)) = input.get(at..).and_then(Frame::read) {
            at = at.saturating_add(size);
            self.frame(&frame);
        }
        input.drain(..at.min(input.len()));
        self.input = input;
    }

    fn see(&mut self, stream: u32, seen: Seen) {
        if stream == self.stream || stream == 0 {
            self.seen.push(seen);
        } else if let Some(found) = self.streams.get_mut(&stream) {
            found.line.seen.push(seen);
        }
    }

    fn wrong(&mut self, stream: u32, why: String) {
        self.log.note(format!("the peer sent {why}"));
        self.see(stream, Seen::Wrong(why));
    }

    fn frame(&mut self, frame: &Frame) {
        if frame.kind != DATA || frame.payload.is_empty() || frame.ends_stream() {
            self.log.note(format!("received  {}", frame.words()));
        }
        let number = frame.number(0).unwrap_or_default();
        match frame.kind {
            DATA => self.data(frame),
            HEADERS => match frame.content() {
                Some(content) => {
                    self.block = Some((frame.stream, frame.ends_stream(), content.to_vec()));
                    self.block_ends(frame.has(END_HEADERS));
                }
                None => self.wrong(frame.stream, "HEADERS with more padding than content".to_owned()),
            },
            CONTINUATION => {
                if let Some((_, _, block)) = &mut self.block {
                    block.extend_from_slice(&frame.payload);
                }
                self.block_ends(frame.has(END_HEADERS));
            }
            RST_STREAM => {
                if let Some(stream) = self.streams.get_mut(&frame.stream)
                    && !std::mem::replace(&mut stream.over, true)
                {
                    self.see(frame.stream, Seen::Aborted(number));
                }
            }
            SETTINGS if !frame.has(ACK) => {
                self.settings(&frame.settings());
                self.send(&new_frame(SETTINGS, ACK, 0, ""));
            }
            PING if !frame.has(ACK) => self.send(&new_frame(PING, ACK, 0, &frame.payload[..])),
            PING => self.see(0, Seen::Pong(frame.payload.clone())),
            GOAWAY => self.see(0, Seen::GoAway(frame.number(4).unwrap_or_default())),
            WINDOW_UPDATE => {
                let window = match self.streams.get_mut(&frame.stream) {
                    Some(stream) => &mut stream.window,
                    None => &mut self.window,
                };
                *window = window.saturating_add(i64::from(number));
                self.move_pending();
            }
            _ => {}
        }
    }

    fn settings(&mut self, settings: &[(u16, u32)]) {
        for (name, value) in settings {
            if *name == INITIAL_WINDOW_SIZE {
                // RFC 9113 section 6.9.2: the windows of open streams change by the difference.
                let difference = i64::from(*value).saturating_sub(self.initial);
                self.initial = i64::from(*value);
                for stream in self.streams.values_mut() {
                    stream.window = stream.window.saturating_add(difference);
                }
            }
        }
        if !std::mem::replace(&mut self.settled, true) {
            self.seen.push(Seen::Settings(settings.contains(&(ENABLE_CONNECT_PROTOCOL, 1))));
        } else if settings.contains(&(ENABLE_CONNECT_PROTOCOL, 0)) {
            // RFC 8441 section 3.
            self.wrong(0, "SETTINGS that take the permission back".to_owned());
        }
        self.move_pending();
    }

    fn data(&mut self, frame: &Frame) {
        let charged = i64::try_from(frame.payload.len()).unwrap_or(i64::MAX);
        self.granted = self.granted.saturating_sub(charged);
        let Some(content) = frame.content() else {
            return self.wrong(frame.stream, "DATA with more padding than content".to_owned());
        };
        let Some(stream) = self.streams.get_mut(&frame.stream) else { return };
        stream.granted = stream.granted.saturating_sub(charged);
        let (open, too_much) = (stream.open, stream.granted < 0 || self.granted < 0);
        if stream.over {
            return self.wrong(frame.stream, "DATA after the end of the stream".to_owned());
        }
        if too_much {
            // RFC 9113 section 6.9.1.
            self.wrong(frame.stream, "more DATA than the windows allow".to_owned());
        }
        // The body of a refusal is ignored.
        if open {
            self.with(frame.stream, |line| line.feed(content));
        }
        if frame.ends_stream() {
            self.ends(frame.stream);
        }
        let size = u32::try_from(charged).unwrap_or_default();
        let observed = frame.stream == self.stream;
        let [connection_held, stream_held] = self.held;
        if size > 0 && !connection_held {
            self.grant(0, size);
        }
        if size > 0 && !(observed && stream_held) {
            self.grant(frame.stream, size);
        }
    }

    /// Opens the window of the connection or of a stream.
    pub(crate) fn grant(&mut self, stream: u32, size: u32) {
        let granted = match self.streams.get_mut(&stream) {
            Some(stream) => &mut stream.granted,
            None => &mut self.granted,
        };
        *granted = granted.saturating_add(i64::from(size));
        self.out.push_back((window_update(stream, size).encode(), false));
    }

    /// From now on, opens no window of the connection (0) or of the observed stream (1) by itself.
    pub(crate) fn hold(&mut self, which: u32) {
        if let Some(held) = usize::try_from(which).ok().and_then(|n| self.held.get_mut(n)) {
            *held = true;
        }
    }

    fn ends(&mut self, stream: u32) {
        if let Some(found) = self.streams.get_mut(&stream)
            && !std::mem::replace(&mut found.over, true)
        {
            self.see(stream, Seen::EndStream);
        }
    }

    fn block_ends(&mut self, ends: bool) {
        let Some((stream, ends_stream, block)) = self.block.take() else { return };
        if block.len() > LONGEST_BLOCK {
            return self.wrong(stream, "a head that is too long".to_owned());
        }
        if !ends {
            self.block = Some((stream, ends_stream, block));
            return;
        }
        match self.decoder.decode(&block).and_then(check_names) {
            Err(why) => self.wrong(stream, why),
            Ok(fields) => {
                let text = message::text(&fields);
                let head = message::head(fields);
                match self.tested {
                    Role::Server => self.answer(stream, head, &text),
                    Role::Client => self.request(stream, head, &text),
                }
            }
        }
        if ends_stream {
            self.ends(stream);
        }
    }

    fn answer(&mut self, stream: u32, head: Head, text: &str) {
        let Some(found) = self.streams.get_mut(&stream) else { return };
        if found.answered {
            self.log.note("received  trailers");
            return;
        }
        let status = message::status(&head);
        found.answered = status.is_none_or(|status| status >= 200);
        let offered = found.offered.clone();
        if stream == self.stream {
            self.heads.1.push_str(text);
        }
        match status {
            None => self.wrong(stream, format!("{:?}, which is not a status", head.values(":status"))),
            Some(100..=199) => {}
            Some(200..=299) => match agreed(&head, &offered.0, &offered.1) {
                Ok(agreed) => {
                    self.see(stream, Seen::Open(head));
                    if let Some(found) = self.streams.get_mut(&stream) {
                        found.open = true;
                        found.line.expect_frames();
                        if let Some(agreed) = agreed {
                            found.line.agree(agreed);
                        }
                    }
                }
                Err(why) => self.wrong(stream, why),
            },
            Some(status) => self.see(stream, Seen::Status(status, head)),
        }
    }

    fn request(&mut self, stream: u32, head: Head, text: &str) {
        let of = |name: &str| head.values(name).join(",");
        let offered = (of("sec-websocket-protocol"), of("sec-websocket-extensions"));
        if self.stream == 0 {
            self.stream = stream;
            self.heads.0.push_str(text);
            self.seen.push(Seen::Request(head));
        }
        self.add(stream, offered, true);
    }

    /// The subprotocols that the client of the observed stream offered.
    pub(crate) fn subprotocols(&self) -> &str {
        self.streams.get(&self.stream).map(|stream| &stream.offered.0[..]).unwrap_or_default()
    }
}

/// RFC 9113 sections 8.2 and 8.3: names are in lower case, pseudo-fields come first and once.
fn check_names(fields: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    let mut regular = false;
    for (n, (name, _)) in fields.iter().enumerate() {
        let is_pseudo = name.starts_with(':');
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(format!("a head with the field {name:?}, which is not in lower case"));
        }
        if CONNECTION_SPECIFIC.contains(&&name[..]) {
            return Err(format!("a head with the field {name:?}, which HTTP/2 does not have"));
        }
        if is_pseudo && (regular || fields.iter().take(n).any(|(earlier, _)| earlier == name)) {
            return Err(format!("a head in which {name:?} comes twice or after other fields"));
        }
        regular |= !is_pseudo;
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_break_the_rules_of_http_2_are_noticed() {
        let check = |fields: &[(&str, &str)]| check_names(message::owned(fields));
        assert!(check(&[(":status", "200"), ("date", "today")]).is_ok());
        assert!(check(&[("Date", "today")]).is_err());
        assert!(check(&[("date", "today"), (":status", "200")]).is_err());
        assert!(check(&[(":status", "200"), (":status", "200")]).is_err());
        assert!(check(&[("connection", "close")]).is_err());
    }
}
