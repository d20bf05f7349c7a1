//! Clients: the program that is measured connects to this one, which sends prebuilt frames, or counts what comes.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::answers::Expected;
use crate::drive::Work;
use crate::frames::{BINARY, RSV1, TEXT, deflated_together, json, text};
use crate::load::{Clients, Load, PATIENCE, Spread};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::service::Service;
use crate::table::Table;
use crate::{echo, machine, rig};

pub const TITLE: &str = "Clients";

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new(TITLE, "µs of client CPU a message");
    for case in Case::all() {
        let name = case.name();
        if !plan.wants_load(&name) {
            continue;
        }
        let peers = plan.peers(&Peer::CLIENTS).into_iter().filter(|&peer| case.has(peer));
        let services: Vec<Service> = peers.map(|peer| Service::readme(peer, plan.profile)).collect();
        let open = |service: &Service| Driven::start(service, &case, plan);
        let [series] = rig::take_turns(&name, &services, open, plan.rounds, plan, |driven| {
            let before = machine::cpu_time(driven.child.id())?;
            let answers = driven.clients.run(plan.turn)?;
            let used = machine::cpu_time(driven.child.id())? - before;
            Ok([used.as_secs_f64() * 1e6 / (answers * case.messages_an_answer()) as f64])
        });
        table.push(&name, series);
    }
    report.add(
        table,
        "\"send\" is a call for each of as many messages in a row as a batch has, \"feed\" the same with one flush; \
         fastwebsockets has no `feed`. To receive, a batch of the same size is read, and answered with one byte. A batch is 64 \
         messages up to 1 KiB, 16 of 16 KiB, 4 of 1 MiB. \"lent\" is `for_each_event`, \"owned\" `recv`.",
    );
    Ok(())
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    work: Work,
    size: usize,
    text: bool,
    deflate: bool,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for work in [Work::Receive, Work::Send, Work::Feed] {
            for size in [125, 1 << 10, 16 << 10, 1 << 20] {
                for text in [true, false] {
                    all.push(Self { work, size, text, deflate: false });
                }
            }
        }
        all.push(Self { work: Work::Receive, size: 1 << 10, text: true, deflate: true });
        all
    }

    fn name(self) -> String {
        let (work, opcode) = (self.work.name(), if self.text { "text" } else { "binary" });
        let compressed = if self.deflate { "compressed, server takeover" } else { opcode };
        format!("{work} {} {compressed}", echo::size_name(self.size))
    }

    fn has(self, peer: Peer) -> bool {
        match peer {
            // Lending is for messages that are received.
            Peer::Ours => self.work == Work::Receive,
            Peer::Fastwebsockets => self.work != Work::Feed && !self.deflate,
            Peer::TokioTungstenite => !self.deflate,
            _ => true,
        }
    }

    fn batch(self) -> usize {
        match self.size {
            0..=1024 => 64,
            ..=0x4000 => 16,
            _ => 4,
        }
    }

    fn messages_an_answer(self) -> u64 {
        if self.work == Work::Receive { self.batch() as u64 } else { 1 }
    }

    fn load(self, peer: Peer) -> Load {
        let first = if self.text { TEXT } else { BINARY };
        let batch = self.batch();
        let (batches, in_flight, expected) = match self.work {
            Work::Receive => {
                let frames = if self.deflate {
                    // What all begin with is not in the window of the first: a server may compress so.
                    let messages: Vec<Vec<u8>> = (0..batch).map(|n| json(self.size, n as u64 + 1)).collect();
                    let frame = |payload: &Vec<u8>| ws_wire::frame(first | RSV1, payload, None);
                    deflated_together(&messages).iter().flat_map(frame).collect()
                } else {
                    ws_wire::frame(first, &text(self.size), None).repeat(batch)
                };
                // yawc compresses even one byte.
                let compressed = self.deflate && peer == Peer::Yawc;
                let first = if compressed { BINARY | RSV1 } else { BINARY };
                let length = (!compressed).then_some(1);
                (frames, 1, Expected { first, length, masked: true })
            }
            Work::Send | Work::Feed => {
                let command = ws_wire::frame(BINARY, b"!", None);
                let length = Some(self.size as u64);
                (command, batch, Expected { first, length, masked: true })
            }
        };
        Load {
            name: self.name(),
            connections: if self.size < 1 << 20 { 8 } else { 2 },
            in_flight,
            batches: Arc::new(vec![batches]),
            expected,
            spread: Spread::OneData,
            one_speaks: false,
        }
    }
}

/// A client process, and the server's ends of its connections.
struct Driven {
    child: Child,
    clients: Clients,
}

impl Driven {
    fn start(service: &Service, case: &Case, plan: &Plan) -> Result<Self> {
        let load = case.load(service.peer);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let work = case.work.to_possible_value().context("work without a name")?;
        let mut command = Command::new(service.profile.program()?);
        command.args(["drive", "--peer", &service.peer.argument(), "--work", work.get_name()]);
        for (option, value) in [
            ("--port", usize::from(listener.local_addr()?.port())),
            ("--connections", load.connections),
            ("--size", case.size),
            ("--batch", case.batch()),
        ] {
            command.args([option, &value.to_string()]);
        }
        command.args(case.text.then_some("--text")).args(case.deflate.then_some("--deflate"));
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        match Self::accept(&listener, &mut child, load, case.deflate) {
            Ok(mut clients) => {
                // Buffers and caches are warm when it counts.
                clients.run(plan.turn / 4)?;
                Ok(Self { child, clients })
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn accept(listener: &TcpListener, child: &mut Child, load: Load, deflate: bool) -> Result<Clients> {
        listener.set_nonblocking(true)?;
        let begin = Instant::now();
        let mut streams = Vec::new();
        while streams.len() < load.connections {
            match listener.accept() {
                Ok((stream, _)) => streams.push(shake_hands(stream, deflate)?),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ensure!(child.try_wait()?.is_none(), "the client process has ended");
                    ensure!(begin.elapsed() < PATIENCE, "the client does not connect");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Clients::over(streams, load)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's part of the opening handshake; agrees to permessage-deflate if it is to be used.
fn shake_hands(mut stream: TcpStream, deflate: bool) -> Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        ensure!(stream.read(&mut byte)? == 1 && head.len() < 4096, "not a request");
        head.extend(byte);
    }
    let head = String::from_utf8(head)?;
    let field = |wanted: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then_some(value.trim()))
    };
    let accept = ws_core::handshake::accept_key(field("Sec-WebSocket-Key").context("no key")?.as_bytes());
    let offer = field("Sec-WebSocket-Extensions").unwrap_or_default();
    ensure!(!deflate || offer.contains("permessage-deflate"), "no offer of permessage-deflate");
    let extension = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extension}\r\n"
    );
    stream.write_all(response.as_bytes())?;
    Ok(stream)
}
