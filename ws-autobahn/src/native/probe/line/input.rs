//! Receiving: the head, frames and messages of the peer.

use super::{LONGEST, Line, PONGS, State, code_of};
use crate::native::{
    deflate::Agreed,
    frame::{BINARY, CLOSE, CONTINUATION, Header, PING, PONG, TEXT, apply_mask, frame},
    handshake::{Head, accept},
    probe::want::Seen,
    rules,
    script::Delivery,
    target::Wire,
};

impl<S: Wire> Line<S> {
    /// Receives bytes from the peer.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        loop {
            match &self.state {
                State::Nothing => return self.input.clear(),
                State::Head { .. } => match Head::split(&self.input) {
                    Ok(None) => return,
                    Ok(Some((head, size))) => {
                        let rest = self.input.split_off(size.min(self.input.len()));
                        let text = std::mem::replace(&mut self.input, rest);
                        self.head(head, &String::from_utf8_lossy(&text));
                    }
                    Err(why) => self.wrong(format!("an invalid head: {why}")),
                },
                State::Frames => {
                    let Some((header, size)) = Header::read(&self.input) else { return };
                    let inside = self.message.is_some();
                    if let Err(why) = rules::head(&header, self.tested, self.inflater.is_some(), inside) {
                        return self.wrong(why);
                    }
                    let length = usize::try_from(header.length).ok().filter(|n| *n <= LONGEST);
                    let Some(end) = length.and_then(|n| n.checked_add(size)) else {
                        return self.wrong(format!("a frame of {} bytes", header.length));
                    };
                    if self.input.len() < end {
                        return;
                    }
                    let rest = self.input.split_off(end);
                    let mut frame = std::mem::replace(&mut self.input, rest);
                    self.log.received(&frame, end as u64);
                    let mut payload = frame.split_off(size);
                    if let Some(key) = header.mask {
                        apply_mask(&mut payload, key);
                    }
                    self.frame(&header, payload);
                }
            }
        }
    }

    fn head(&mut self, head: Head, text: &str) {
        self.answer.push_str(text);
        let State::Head { key, subprotocols, extensions } = &self.state else { return };
        let status =
            head.first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|s| s.parse().ok());
        match status {
            None => self.wrong(format!("{:?}, which is not a status line", head.first)),
            // RFC 9110 section 15.2: several of these may come before the final answer.
            Some(100 | 102..=199) => {}
            Some(101) => match check(&head, key, subprotocols, extensions) {
                Ok(agreed) => {
                    if let Some(agreed) = agreed {
                        self.agree(agreed);
                    }
                    self.state = State::Frames;
                    self.see(Seen::Open(head));
                }
                Err(why) => self.wrong(why),
            },
            Some(status) => {
                self.state = State::Nothing;
                self.see(Seen::Status(status, head));
            }
        }
    }

    fn frame(&mut self, header: &Header, payload: Vec<u8>) {
        match header.opcode {
            CLOSE => {
                let code = code_of(&payload);
                let reason = payload.get(2..).unwrap_or_default();
                match code {
                    Some(code) if !rules::may_be_sent(code) => {
                        return self.wrong(format!("a Close with the code {code}, which must not be sent"));
                    }
                    _ if std::str::from_utf8(reason).is_err() => {
                        return self.wrong("a Close with a reason that is not UTF-8".to_owned());
                    }
                    _ => {}
                }
                self.code = code;
                self.see(Seen::Close(code, self.close_sent && self.sent_code == code));
                if self.polite {
                    self.close(code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec()));
                }
            }
            PING => {
                self.see(Seen::Ping);
                if self.polite && self.out.len() < PONGS {
                    self.send_frame(&frame(PONG, payload), Delivery::Joined, 1);
                }
            }
            PONG => self.see(Seen::Pong(payload)),
            _ => {
                let (opcode, compressed) = (header.opcode, header.rsv == 4);
                let (_, _, whole) = self.message.get_or_insert((opcode, compressed, Vec::new()));
                whole.extend(payload);
                if whole.len() > LONGEST {
                    self.message = None;
                    return self.wrong(format!("a message of more than {LONGEST} bytes"));
                }
                if header.fin
                    && let Some((opcode, compressed, whole)) = self.message.take()
                {
                    self.message(opcode, compressed, whole);
                }
            }
        }
    }

    fn message(&mut self, opcode: u8, compressed: bool, payload: Vec<u8>) {
        let plain = match &mut self.inflater {
            Some(inflater) if compressed => inflater.message(&payload, LONGEST),
            _ => Ok(payload),
        };
        self.kept = self.kept.saturating_add(plain.as_ref().map_or(0, Vec::len));
        match plain {
            Ok(_) if self.kept > LONGEST => self.wrong(format!("messages of more than {LONGEST} bytes")),
            Err(why) => self.wrong(format!("a message that cannot be decompressed: {why}")),
            Ok(plain) => match opcode {
                BINARY => self.see(Seen::Binary(plain)),
                TEXT | CONTINUATION if std::str::from_utf8(&plain).is_err() => {
                    self.wrong("text that is not UTF-8".to_owned());
                }
                _ => self.see(Seen::Text(plain)),
            },
        }
    }
}

/// Checks a 101 as a client must (RFC 6455 section 4.1).
fn check(head: &Head, key: &str, subprotocols: &str, extensions: &str) -> Result<Option<Agreed>, String> {
    if !head.has_token("upgrade", "websocket") || !head.has_token("connection", "upgrade") {
        return Err("a 101 that does not upgrade to websocket".to_owned());
    }
    if head.values("sec-websocket-accept") != [accept(key)] {
        return Err("a 101 with a Sec-WebSocket-Accept that does not match the key".to_owned());
    }
    agreed(head, subprotocols, extensions)
}

/// Checks the subprotocol and the extensions of an answer that opens the connection.
pub(crate) fn agreed(head: &Head, subprotocols: &str, extensions: &str) -> Result<Option<Agreed>, String> {
    match &head.values("sec-websocket-protocol")[..] {
        [] => {}
        [one] if subprotocols.split(',').any(|offered| offered.trim() == one) => {}
        other => return Err(format!("an answer with the subprotocol {other:?}, which was not offered")),
    }
    match Agreed::parse(&head.values("sec-websocket-extensions"))? {
        Some(_) if !extensions.contains("permessage-deflate") => {
            Err("an answer with an extension that was not offered".to_owned())
        }
        agreed => Ok(agreed),
    }
}
