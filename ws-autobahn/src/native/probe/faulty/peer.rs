//! A peer in either role with one fault.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::Fault;
use crate::{
    native::{
        frame::{BINARY, CLOSE, CONTINUATION, Header, PING, PONG, TEXT, apply_mask, close_body, frame},
        handshake::{Request, accept},
        target::Wire,
    },
    role::Role,
};

/// Opens a connection and echoes until it ends; `frames` is how many frames the first connection had.
pub(super) async fn run(mut stream: TcpStream, role: Role, fault: Fault, frames: Arc<AtomicU64>) {
    if fault == Fault::Hangs {
        let _ = stream.read_to_end(&mut Vec::new()).await;
        return sleep(Duration::from_secs(60)).await;
    }
    let opened = match role {
        Role::Server => accept_any(&mut stream, fault).await,
        Role::Client => connect(&mut stream, fault).await,
    };
    if fault == Fault::FillsMemory {
        let filled = vec![1u8; 300 << 20];
        sleep(Duration::from_millis(300)).await;
        assert_eq!(std::hint::black_box(filled).len(), 300 << 20);
    }
    if let Some(input) = opened {
        let mut peer = Peer::new(role, fault, input);
        peer.echo(&mut stream, &frames).await;
    }
    match fault {
        Fault::KeepsOpen => sleep(Duration::from_secs(60)).await,
        Fault::Resets => stream.arm_reset(),
        _ => {
            let _ = stream.shutdown().await;
            let _ = timeout(Duration::from_millis(200), stream.read_to_end(&mut Vec::new())).await;
        }
    }
}

/// Reads up to an empty line or the end of the stream.
async fn read_any_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        let ends = [&b"\r\n\r\n"[..], b"\n\n"]
            .map(|end| bytes.windows(end.len()).position(|w| w == end).map(|at| at + end.len()));
        if let Some(end) = ends.into_iter().flatten().min() {
            let rest = bytes.split_off(end);
            return (String::from_utf8_lossy(&bytes).into_owned(), rest);
        }
        match timeout(Duration::from_millis(150), stream.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            _ => return (String::from_utf8_lossy(&bytes).into_owned(), Vec::new()),
        }
    }
}

fn value(head: &str, name: &str) -> String {
    let values = head.lines().filter_map(|line| line.split_once(':'));
    let values = values.filter(|(n, _)| n.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    values.collect::<Vec<_>>().join(",")
}

async fn accept_any(stream: &mut TcpStream, fault: Fault) -> Option<Vec<u8>> {
    let (head, rest) = read_any_head(stream).await;
    let refusal = match fault {
        Fault::RefusesEverything => Some("HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        Fault::AnswersOk => Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        _ => None,
    };
    if let Some(refusal) = refusal {
        let _ = stream.write_all(refusal.as_bytes()).await;
        return None;
    }
    let keys = value(&head, "sec-websocket-key");
    let key = keys.split(',').next().unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
        accept(key)
    );
    if fault == Fault::AgreesToEverything {
        for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
            let offered = value(&head, name);
            if !offered.is_empty() {
                answer.push_str(&format!("{name}: {offered}\r\n"));
            }
        }
    }
    answer.push_str("\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some(rest)
}

async fn connect(stream: &mut TcpStream, fault: Fault) -> Option<Vec<u8>> {
    const TARGET: &str = "/runCase?case=1&agent=faulty";
    let request = match fault {
        Fault::AsksBadly => format!(
            "POST {TARGET} HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: identity\r\nSec-WebSocket-Accept: x\r\n\r\n"
        ),
        Fault::RepeatsKey => {
            let head = Request::new("localhost", TARGET, &[]).text;
            head.replace(&value(&head, "sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==")
        }
        _ => Request::new("localhost", TARGET, &[]).text,
    };
    stream.write_all(request.as_bytes()).await.ok()?;
    loop {
        let (head, rest) = read_any_head(stream).await;
        match fault {
            Fault::RefusesEverything => return None,
            _ if !head.starts_with("HTTP/1.1 10") || head.starts_with("HTTP/1.1 101") => return Some(rest),
            // An interim answer. Bytes after it in the same segment are lost, which is acceptable for this peer.
            _ if rest.is_empty() => {}
            _ => return Some(after_head(&rest)),
        }
    }
}

fn after_head(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    bytes[end..].to_vec()
}

/// The WebSocket of a peer.
pub(in crate::native::probe) struct Peer {
    role: Role,
    fault: Fault,
    pub(in crate::native::probe) input: Vec<u8>,
    pub(in crate::native::probe) out: Vec<u8>,
    message: Option<(u8, Vec<u8>)>,
    closed: bool,
    /// Whether it ends the connection now.
    pub(in crate::native::probe) ends: bool,
}

impl Peer {
    pub(in crate::native::probe) fn new(role: Role, fault: Fault, input: Vec<u8>) -> Self {
        Self { role, fault, input, out: Vec::new(), message: None, closed: false, ends: false }
    }

    async fn echo(&mut self, stream: &mut TcpStream, frames: &AtomicU64) {
        let mut count = 0u64;
        loop {
            count += self.answer_input();
            if self.fault == Fault::TakesTheSquare && !self.out.is_empty() && self.input.is_empty() {
                let first = match frames.compare_exchange(0, count, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => count,
                    Err(first) => first,
                };
                let times = (count as f64 / first as f64).powi(2);
                sleep(Duration::from_millis(250).mul_f64(times)).await;
            }
            let out = std::mem::take(&mut self.out);
            if stream.write_all(&out).await.is_err() || (self.ends && self.fault != Fault::GoesOnAfterClose) {
                return;
            }
            let mut bytes = vec![0; 256 << 10];
            let read = match self.fault {
                Fault::EndsEarly => {
                    timeout(Duration::from_millis(30), stream.read(&mut bytes)).await.unwrap_or(Ok(0))
                }
                _ => stream.read(&mut bytes).await,
            };
            match read {
                Ok(n @ 1..) => self.input.extend_from_slice(&bytes[..n]),
                _ => return,
            }
        }
    }

    /// Answers all received frames and returns their number.
    pub(in crate::native::probe) fn answer_input(&mut self) -> u64 {
        let (mut count, mut at) = (0, 0);
        while (!self.ends || self.fault == Fault::GoesOnAfterClose)
            && let Some((header, size)) = Header::read(&self.input[at..])
            && let Some(end) = usize::try_from(header.length).ok().and_then(|n| n.checked_add(size + at))
            && self.input.len() >= end
        {
            let mut payload = self.input[at + size..end].to_vec();
            if let Some(key) = header.mask {
                apply_mask(&mut payload, key);
            }
            at = end;
            count += 1;
            if self.fault != Fault::EchoesNothing {
                self.frame(&header, payload);
            }
        }
        self.input.drain(..at);
        count
    }

    fn frame(&mut self, header: &Header, payload: Vec<u8>) {
        match header.opcode {
            PING => self.send(PONG, &payload),
            CLOSE => self.close(&payload),
            TEXT | BINARY | CONTINUATION => {
                let (_, message) = self.message.get_or_insert((header.opcode, Vec::new()));
                message.extend(payload);
                if header.fin
                    && let Some((opcode, message)) = self.message.take()
                {
                    self.send(opcode.max(TEXT), &message);
                }
            }
            PONG => {}
            _ if self.fault == Fault::TakesEverything => {}
            _ => {
                let code = if self.fault == Fault::ClosesWithAnotherCode { 1012 } else { 1002 };
                self.send(CLOSE, &close_body(code, b""));
                self.closed = true;
                self.ends = self.role == Role::Server;
            }
        }
    }

    fn close(&mut self, body: &[u8]) {
        let answer = match (self.fault, body.first_chunk::<2>()) {
            (Fault::ClosesWithAnotherCode, _) => close_body(1012, b""),
            (_, None) => Vec::new(),
            (_, Some(code)) => code.to_vec(),
        };
        if !self.closed || self.fault == Fault::GoesOnAfterClose {
            self.send(CLOSE, &answer);
        }
        self.closed = true;
        self.ends |= self.role == Role::Server || self.fault == Fault::EndsFirst;
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.out.extend(frame(opcode, payload).encode((self.role == Role::Client).then_some([9, 8, 7, 6])));
    }
}
