//! A crowd: a process of many clients on one thread, with an event loop and a few bytes for each client.
//!
//! It answers the commands `open NUMBER`, `hold`, `keep NUMBER`, `echo RATE SECONDS`, `times`, `await`, `drain` and `status`.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};

use crate::counts::{Counts, micros, text};
use crate::peer::{Peer, Phase, request};
use crate::{Arguments, Failure, machine};

/// The handshakes of a crowd in progress at one time.
const AT_ONCE: usize = 64;
/// The connections from one source address: each needs a port of that address.
const AN_ADDRESS: usize = 1000;
/// How often messages are sent while echoing.
const TICK: Duration = Duration::from_millis(10);
/// How many seconds' messages may wait for their echoes: a machine that is too slow is not to have more and more of them.
const BEHIND: u64 = 2;
/// How long nothing is opened after a failure.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a crowd until its standard input ends.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    machine::end_first_without_memory();
    let mut poll = Poll::new()?;
    let commands = read_commands(Waker::new(poll.registry(), WAKER)?);
    let mut events = Events::with_capacity(1024);
    let mut crowd = Crowd::new(arguments);
    loop {
        match poll.poll(&mut events, crowd.wait()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() != WAKER {
                crowd.turn(event.token().0, event.is_writable(), event.is_read_closed() || event.is_error());
            }
        }
        while let Ok(command) = commands.try_recv() {
            let mut out = io::stdout().lock();
            writeln!(out, "{}", crowd.obey(&command))?;
            out.flush()?;
        }
        crowd.open_some(&poll);
        crowd.send_due();
    }
}

const WAKER: Token = Token(usize::MAX);

/// Reads commands in a thread, which ends the process with its standard input: then the parent has ended.
fn read_commands(waker: Waker) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() || waker.wake().is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    receiver
}

struct Crowd {
    peers: Vec<Peer>,
    /// The places without a connection, of those that are to have one.
    absent: Vec<usize>,
    server: SocketAddr,
    request: Vec<u8>,
    /// The number of the first client among those of all crowds.
    first: usize,
    buffer: Vec<u8>,
    epoch: Instant,
    /// No connection is opened before.
    pause: Option<Instant>,
    chance: u64,
    echo: Option<Echo>,
    counts: Counts,
}

/// Echoing: each second another random choice of the clients, spread over the second.
struct Echo {
    begin: Instant,
    rate: u64,
    until: Duration,
    due: u64,
    /// All clients, those first that have been chosen in this second.
    order: Vec<u32>,
}

impl Crowd {
    fn new(arguments: &Arguments) -> Self {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
        Self {
            peers: Vec::new(),
            absent: Vec::new(),
            server,
            request: request(&server.to_string()).into_bytes(),
            first: arguments.first,
            buffer: vec![0; 64 << 10],
            epoch: Instant::now(),
            pause: None,
            chance: 0x9e37_79b9_7f4a_7c15 ^ (arguments.first as u64) << 20,
            echo: None,
            counts: Counts::default(),
        }
    }

    /// How long to wait for events.
    fn wait(&self) -> Option<Duration> {
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        match (&self.echo, self.pause) {
            (Some(echo), _) => {
                let ticks = (echo.begin.elapsed().as_micros() / TICK.as_micros()) as u32 + 1;
                Some(until(echo.begin + TICK * ticks))
            }
            (None, pause) => pause.map(until),
        }
    }

    fn obey(&mut self, command: &str) -> String {
        let mut words = command.split(' ');
        let name = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
        match name {
            "open" => {
                let count = number() as usize;
                self.absent.extend((self.peers.len()..count).rev());
                self.peers.resize_with(count, Peer::default);
            }
            "hold" => self.absent.clear(),
            "keep" => self.keep(number() as usize),
            "echo" => self.begin_echo(number(), Duration::from_secs(number())),
            "times" => return format!("times={}", std::mem::take(&mut self.counts.times)),
            "await" => (self.counts.received, self.counts.began, self.counts.ended) = (0, 0, 0),
            "drain" => self.counts.draining = true,
            _ => {}
        }
        self.status()
    }

    fn status(&self) -> String {
        format!("absent={} echoing={} {}", self.absent.len(), u8::from(self.echo.is_some()), self.counts)
    }

    // --- opening -------------------------------------------------------------------

    fn open_some(&mut self, poll: &Poll) {
        if self.pause.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.pause = None;
        while self.counts.opening < AT_ONCE
            && self.counts.limit.is_none()
            && let Some(index) = self.absent.pop()
        {
            match self.connect(index, poll) {
                Ok(stream) => {
                    self.peers[index] = Peer::connecting(stream);
                    self.counts.opening += 1;
                }
                Err(error) => {
                    self.absent.push(index);
                    self.counts.limit = Some(machine::what_ended(&error));
                }
            }
        }
    }

    fn connect(&self, index: usize, poll: &Poll) -> io::Result<TcpStream> {
        // From 127.1.0.0 on, so that none is the server's own.
        let number = (self.first + index) / AN_ADDRESS;
        let source = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number as u32);
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&self.server.into()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock && !machine::in_progress(&error) => {
                return Err(error);
            }
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        Ok(stream)
    }

    // --- events --------------------------------------------------------------------

    fn turn(&mut self, index: usize, writable: bool, at_end: bool) {
        let peer = &mut self.peers[index];
        let (request, counts, absent) = (&self.request, &mut self.counts, &mut self.absent);
        let now = self.epoch.elapsed();
        let mut turn = || {
            if peer.phase == Phase::Connecting {
                peer.ask(request)?;
            } else if writable {
                peer.flush()?;
            }
            peer.receive(&mut self.buffer, at_end, |peer, received| {
                counts.note(self.first + index, peer, &received, now)
            })
        };
        let Err(error) = turn() else { return };
        counts.waiting -= u64::from(peer.asked != 0);
        match peer.phase {
            Phase::Absent => {}
            Phase::Connecting | Phase::Asking => {
                counts.opening -= 1;
                counts.retried += 1;
                absent.push(index);
                self.pause = Some(Instant::now() + PAUSE);
            }
            Phase::Open | Phase::Leaving | Phase::Closed => {
                counts.open -= 1;
                counts.lost += 1;
                counts.first_loss.get_or_insert_with(|| error.to_string());
            }
        }
        *peer = Peer::default();
    }

    /// Closes all clients but this many.
    fn keep(&mut self, count: usize) {
        self.absent.clear();
        for peer in self.peers.iter_mut().filter(|peer| peer.phase == Phase::Open).skip(count) {
            // What fails is noticed when it is read.
            let _ = peer.leave();
        }
    }

    // --- echoing -------------------------------------------------------------------

    fn begin_echo(&mut self, rate: u64, until: Duration) {
        let open = |index: &usize| self.peers[*index].phase == Phase::Open;
        let order: Vec<u32> = (0..self.peers.len()).filter(open).map(|index| index as u32).collect();
        if !order.is_empty() {
            self.echo = Some(Echo { begin: Instant::now(), rate, until, due: 0, order });
        }
    }

    fn send_due(&mut self) {
        let Some(mut echo) = self.echo.take() else { return };
        let elapsed = echo.begin.elapsed().min(echo.until);
        let tick = elapsed.as_micros() / TICK.as_micros();
        let due =
            u64::try_from(tick * TICK.as_micros() * u128::from(echo.rate) / 1_000_000).unwrap_or_default();
        while echo.due < due {
            let index = echo.choose(&mut self.chance);
            // What is due between two ticks is due at the second, also where the process gets its turn late.
            let ticks = (echo.due * 1_000_000 / echo.rate) / TICK.as_micros() as u64 + 1;
            let at = echo.begin + Duration::from_micros(ticks * TICK.as_micros() as u64);
            echo.due += 1;
            self.send_echo(index, at.saturating_duration_since(self.epoch), echo.rate * BEHIND);
        }
        if elapsed < echo.until {
            self.echo = Some(echo);
        }
    }

    fn send_echo(&mut self, index: usize, due: Duration, most: u64) {
        let peer = &mut self.peers[index];
        if peer.phase != Phase::Open {
            return;
        }
        if peer.asked != 0 || self.counts.waiting >= most {
            self.counts.late += 1;
            return;
        }
        peer.sequence += 1;
        peer.asked = micros(due);
        self.counts.sent += 1;
        self.counts.waiting += 1;
        let text = text(self.first + index, peer.sequence);
        // What fails is noticed when it is read.
        let _ = peer.send_text(text.as_bytes());
    }
}

impl Echo {
    /// Returns a client that has not been chosen in this second; each second has `rate` messages.
    fn choose(&mut self, chance: &mut u64) -> usize {
        let count = self.order.len();
        let place = (self.due % self.rate) as usize % count;
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        let other = place + (*chance % (count - place) as u64) as usize;
        self.order.swap(place, other);
        self.order[place] as usize
    }
}
