//! An echo peer in either role, optionally with a fault.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};

use super::Fault;
use crate::{
    native::{
        against_server::read_head,
        deflate::{Agreed, Deflater, Demand, Direction, Inflater, Offer},
        frame::{BINARY, CLOSE, CONTINUATION, Header, PING, PONG, TEXT, apply_mask, close_body, frame},
        handshake::{CheckedRequest, Request},
    },
    role::Role,
};

/// Opens a connection in this role and echoes until it ends.
pub(super) async fn run(mut stream: DuplexStream, role: Role, fault: Fault) {
    if fault == Fault::Hangs {
        let mut ignored = Vec::new();
        let _ = stream.read_to_end(&mut ignored).await;
        return;
    }
    let opened = match role {
        Role::Server => accept(&mut stream, fault).await,
        Role::Client => connect(&mut stream, fault).await,
    };
    if let Ok((agreed, early)) = opened {
        Peer::new(stream, role, fault, agreed, early).echo().await;
    }
}

type Opened = Result<(Option<Agreed>, Vec<u8>), String>;

async fn accept(stream: &mut DuplexStream, fault: Fault) -> Opened {
    let (head, _, early) = read_head(stream).await?;
    let demands = match fault {
        Fault::NoDeflate => &[][..],
        _ => &[Demand { no_takeover: false, bits: None }],
    };
    let (mut answer, agreed) = CheckedRequest::check(&head)?.answer(demands);
    if fault == Fault::AnswersNonsense {
        answer = "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\n\r\n\x01\x02\x03".to_owned();
    }
    stream.write_all(answer.as_bytes()).await.map_err(|e| e.to_string())?;
    Ok((agreed, early))
}

async fn connect(stream: &mut DuplexStream, fault: Fault) -> Opened {
    let offers = match fault {
        Fault::NoDeflate => Vec::new(),
        _ => vec![Offer { client_can_limit: true, client_no_takeover: true, ..Offer::default() }],
    };
    let request = Request::new("localhost", "/runCase?case=1&agent=faulty", &offers);
    if fault == Fault::AnswersNonsense {
        stream.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").await.map_err(|e| e.to_string())?;
    } else {
        stream.write_all(request.text.as_bytes()).await.map_err(|e| e.to_string())?;
    }
    let (head, _, early) = read_head(stream).await?;
    Ok((request.check(&head)?, early))
}

struct Peer {
    stream: DuplexStream,
    role: Role,
    fault: Fault,
    input: Vec<u8>,
    out: Vec<u8>,
    message: Option<Message>,
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    late: Vec<Vec<u8>>,
    next: Next,
}

struct Message {
    opcode: u8,
    compressed: bool,
    payload: Vec<u8>,
}

/// The next action of the peer.
#[derive(PartialEq, Eq)]
enum Next {
    /// Continues to read.
    Read,
    /// Closes with this body when everything received is answered.
    Close(Vec<u8>),
    /// Ends the connection.
    End,
}

impl Peer {
    fn new(stream: DuplexStream, role: Role, fault: Fault, agreed: Option<Agreed>, input: Vec<u8>) -> Self {
        let (ours, theirs) = match (agreed, role) {
            (None, _) => (None, None),
            (Some(agreed), Role::Server) => (Some(agreed.server), Some(agreed.client)),
            (Some(agreed), Role::Client) => (Some(agreed.client), Some(agreed.server)),
        };
        let ours =
            ours.map(|d| Direction { no_takeover: d.no_takeover && fault != Fault::KeepsTheWindow, ..d });
        let theirs =
            theirs.map(|d| Direction { no_takeover: d.no_takeover || fault == Fault::ForgetsTheWindow, ..d });
        let (deflater, inflater) = (ours.map(Deflater::new), theirs.map(Inflater::new));
        let (out, late) = (Vec::new(), Vec::new());
        Self { stream, role, fault, input, out, message: None, deflater, inflater, late, next: Next::Read }
    }

    async fn echo(mut self) {
        if self.fault == Fault::ClosesAtOnce {
            self.fail(1000);
        }
        while self.next == Next::Read {
            self.answer_input();
            if let Next::Close(body) = &self.next {
                let body = body.clone();
                self.send(true, 0, CLOSE, &body);
                self.next = Next::End;
            }
            let mut bytes = vec![0; 16 << 10];
            let read = if self.fault == Fault::LosesEchoesWhenFailing && self.next == Next::Read {
                // Its answers wait until there are several.
                timeout(Duration::from_millis(100), self.stream.read(&mut bytes)).await.ok()
            } else {
                None
            };
            let read = match read {
                Some(read) => read,
                None => {
                    let out = std::mem::take(&mut self.out);
                    if self.stream.write_all(&out).await.is_err() || self.next == Next::End {
                        break;
                    }
                    self.stream.read(&mut bytes).await
                }
            };
            match read {
                Ok(n @ 1..) => self.input.extend_from_slice(&bytes[..n]),
                _ => return,
            }
        }
        if self.role == Role::Server && self.fault != Fault::LeavesTcpOpen {
            let _ = self.stream.shutdown().await;
        }
        let _ = self.stream.read_to_end(&mut self.input).await;
    }

    /// Answers all received frames.
    fn answer_input(&mut self) {
        while self.next != Next::End
            && let Some((header, size)) = Header::read(&self.input)
        {
            if let Some(code) = self.wrong(&header) {
                return self.fail(code);
            }
            let end = size + usize::try_from(header.length).unwrap();
            let mut payload = self.input[size..self.input.len().min(end)].to_vec();
            if let Some(key) = header.mask {
                apply_mask(&mut payload, key);
            }
            if self.text_goes_wrong(&header, &payload) {
                return self.fail(1007);
            }
            if self.input.len() < end {
                break;
            }
            self.input.drain(..end);
            self.frame(&header, payload);
        }
        if self.fault == Fault::NeedsWholeFrames {
            self.input.clear();
        }
    }

    /// Returns the close code if a frame header fails the connection.
    fn wrong(&self, header: &Header) -> Option<u16> {
        let Header { opcode, fin, length, rsv, .. } = *header;
        let control = header.is_control();
        let compressed = rsv == 4 && self.inflater.is_some() && !control && opcode != CONTINUATION;
        let faults = [
            (rsv != 0 && !compressed, Fault::TakesReservedBits),
            (control && length > 125, Fault::TakesLongControlFrames),
            (control && !fin, Fault::TakesControlFragments),
            (matches!(opcode, 3..=7 | 11..=15), Fault::PassesReservedOpcodes),
            (
                opcode == CONTINUATION
                    && self.message.is_none()
                    && self.fault != Fault::TakesControlFragments,
                Fault::PassesStrayContinuations,
            ),
            (matches!(opcode, TEXT | BINARY) && self.message.is_some(), Fault::TakesMessagesInside),
            (opcode == CLOSE && length == 1, Fault::TakesOneByteCloses),
        ];
        faults.into_iter().any(|(wrong, fault)| wrong && self.fault != fault).then_some(1002)
    }

    /// Whether the text cannot become valid any more with these bytes of a frame.
    fn text_goes_wrong(&self, header: &Header, payload: &[u8]) -> bool {
        let (text, before) = match &self.message {
            Some(message) => (message.opcode == TEXT && !message.compressed, &message.payload[..]),
            None => (header.opcode == TEXT && header.rsv == 0, &[][..]),
        };
        if !text
            || header.is_control()
            || matches!(self.fault, Fault::TakesAnyText | Fault::ChecksTextAtTheEnd)
        {
            return false;
        }
        // Only the last few bytes can be the beginning of a character that is not valid any more.
        let before = &before[before.len().saturating_sub(8)..];
        let start = before.iter().position(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
        let bytes = [&before[start..], payload].concat();
        std::str::from_utf8(&bytes).is_err_and(|e| e.error_len().is_some())
    }

    fn frame(&mut self, header: &Header, payload: Vec<u8>) {
        match header.opcode {
            PING => {
                let payload = if self.fault == Fault::PongsEmpty { Vec::new() } else { payload };
                match self.fault {
                    Fault::NeverPongs => {}
                    Fault::PongsLate if self.message.is_some() => self.late.push(payload),
                    _ => self.send(true, 0, PONG, &payload),
                }
            }
            PONG if self.fault == Fault::AnswersPongs => self.send(true, 0, PONG, &payload),
            CLOSE => self.close(&payload),
            CONTINUATION | TEXT | BINARY => self.data(header, payload),
            _ => {}
        }
    }

    fn data(&mut self, header: &Header, payload: Vec<u8>) {
        if header.opcode == CONTINUATION && self.message.is_none() {
            return;
        }
        let (opcode, compressed) = (header.opcode, header.rsv == 4 && self.inflater.is_some());
        let message = self.message.get_or_insert(Message { opcode, compressed, payload: Vec::new() });
        if self.fault == Fault::KeepsTheLastFragment {
            message.payload.clear();
        }
        message.payload.extend(payload);
        if !header.fin {
            return;
        }
        let Some(Message { opcode, compressed, mut payload }) = self.message.take() else { return };
        if compressed && let Some(inflater) = &mut self.inflater {
            match inflater.message(&payload, 32 << 20) {
                Ok(plain) => payload = plain,
                Err(_) => return self.fail(1007),
            }
        }
        if opcode == TEXT && self.fault != Fault::TakesAnyText && std::str::from_utf8(&payload).is_err() {
            return self.fail(1007);
        }
        self.echo_message(opcode, payload);
        for late in std::mem::take(&mut self.late) {
            self.send(true, 0, PONG, &late);
        }
    }

    fn echo_message(&mut self, opcode: u8, mut payload: Vec<u8>) {
        let opcode = if self.fault == Fault::SwapsKinds { 3 - opcode } else { opcode };
        match (self.fault, payload.last_mut()) {
            (Fault::DropsEmptyMessages, None) => return,
            (Fault::CorruptsEchoes, Some(last)) => *last ^= 1,
            (Fault::CutsLongMessages, _) => payload.truncate(65535),
            _ => {}
        }
        for _ in 0..if self.fault == Fault::EchoesTwice { 2 } else { 1 } {
            match &mut self.deflater {
                None => self.send(true, 0, opcode, &payload),
                Some(deflater) => {
                    let packed = deflater.message(&payload).unwrap();
                    self.send(true, 4, opcode, &packed);
                }
            }
        }
    }

    fn close(&mut self, body: &[u8]) {
        let code = body.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
        let allowed = code.is_none_or(|code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999));
        let text = std::str::from_utf8(body.get(2..).unwrap_or_default()).is_ok();
        let answer = match (code, self.fault) {
            (_, Fault::NeverCloses) => return,
            (_, Fault::DropsInsteadOfClosing) => return self.next = Next::End,
            (_, Fault::ClosesWithAnotherCode) => close_body(1012, b""),
            (Some(_), fault) if !allowed && fault != Fault::TakesAnyCode => return self.fail(1002),
            (Some(_), fault) if !text && fault != Fault::TakesAnyReason => return self.fail(1007),
            (Some(code), _) => close_body(code, b""),
            (None, _) if body.len() == 1 => close_body(1000, b""),
            (None, _) => Vec::new(),
        };
        if self.fault == Fault::GoesOnAfterClose {
            self.next = Next::Close(answer);
        } else {
            self.send(true, 0, CLOSE, &answer);
            self.next = Next::End;
        }
    }

    fn fail(&mut self, code: u16) {
        if self.fault == Fault::LosesEchoesWhenFailing {
            self.out.clear();
        }
        let code = if self.fault == Fault::FailsAsIfAllWereWell { 1000 } else { code };
        self.send(true, 0, CLOSE, &close_body(code, b""));
        self.next = Next::End;
    }

    fn send(&mut self, fin: bool, rsv: u8, opcode: u8, payload: &[u8]) {
        let mut frame = frame(opcode, payload).rsv(rsv);
        frame.fin = fin;
        let mask = (self.role == Role::Client).then_some([0xa1, 0xb2, 0xc3, 0xd4]);
        self.out.extend(frame.encode(mask));
    }
}
