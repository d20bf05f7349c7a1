//! The processes of a load, servers and crowds, and what they do together.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::children::{Answer, Worker, Workers, sum};
use crate::limits::{Plan, round};
use crate::machine::{self, Memory};
use crate::times::Times;
use crate::{Arguments, Failure};

/// Servers that share a port, and crowds of clients.
pub(crate) struct Fleet {
    pub(crate) servers: Workers,
    pub(crate) crowds: Workers,
    /// The memory that is left to others, in bytes.
    reserve: u64,
    /// How long clients may take for what they do together.
    patience: Duration,
    /// Connections that are to be open.
    pub(crate) connections: usize,
    published: u32,
}

/// How opening went.
pub(crate) struct Opened {
    /// The connections that were open before the number was rounded.
    pub(crate) reached: u64,
    pub(crate) took: Duration,
    pub(crate) retried: u64,
    /// The limit that ended it.
    pub(crate) limit: Option<String>,
}

/// How echoing went.
#[derive(Default)]
pub(crate) struct Echoed {
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    /// Not sent, as the echo before had not come back.
    pub(crate) late: u64,
    pub(crate) times: Times,
    pub(crate) took: Duration,
    /// Processor time of the servers.
    pub(crate) processor: Duration,
}

/// How a broadcast went.
pub(crate) struct Delivered {
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// From the command to the first receipt, and from that to the last one.
    pub(crate) first: Duration,
    pub(crate) spread: Duration,
    pub(crate) processor: Duration,
}

/// How the shutdown went.
pub(crate) struct Drained {
    pub(crate) took: Duration,
    pub(crate) closed: u64,
    pub(crate) aborted: u64,
    /// Clients that have received Close 1001 and then the end.
    pub(crate) said_goodbye: u64,
}

impl Fleet {
    /// Starts all processes; the clients do not connect yet.
    pub(crate) fn start(plan: &Plan, members: bool, arguments: &Arguments) -> Result<Self, Failure> {
        let spread = (plan.connections as u64 / DRAINED_A_SECOND).max(1);
        let mut servers = Workers::default();
        let mut port = 0_u16;
        for _ in 0..plan.servers {
            let mut options = vec!["--serve".to_owned()];
            let capacity = plan.capacity.min(plan.connections + 1);
            for (name, value) in [
                ("--connections", capacity as u64),
                ("--port", port.into()),
                ("--drain", spread + 120),
                ("--spread", spread),
            ] {
                options.extend([name.to_owned(), value.to_string()]);
            }
            options.extend((plan.servers > 1).then(|| "--shared".to_owned()));
            options.extend(members.then(|| "--members".to_owned()));
            options.extend(arguments.lose.map(|lose| format!("--lose={lose}")));
            let mut server = Worker::start(&options)?;
            let address = server.hear()?;
            port = address.get::<std::net::SocketAddr>("address")?.port();
            servers.0.push(server);
        }
        let mut crowds = Workers::default();
        for index in 0..plan.crowds {
            let first = share(plan.connections, plan.crowds, index).0;
            let options = ["--crowd", "--port", &port.to_string(), "--first", &first.to_string()];
            crowds.0.push(Worker::start(&options.map(str::to_owned))?);
        }
        let (reserve, patience) = (arguments.reserve << 20, Duration::from_secs(arguments.patience));
        Ok(Self { servers, crowds, reserve, patience, connections: plan.connections, published: 0 })
    }

    /// Opens all connections, or as many as there is room for.
    pub(crate) fn open(&mut self) -> Result<Opened, Failure> {
        let begin = Instant::now();
        let too_little = format!("memory: less than {} MiB are available, the reserve", self.reserve >> 20);
        if machine::available() < self.reserve {
            self.connections = 0;
            let limit = Some(too_little);
            return Ok(Opened { reached: 0, took: Duration::ZERO, retried: 0, limit });
        }
        let drops = machine::counter("ListenDrops");
        let wanted = self.connections;
        let count = self.crowds.0.len();
        self.crowds.ask_each(|index| format!("open {}", share(wanted, count, index).1))?;
        let (mut progress, mut most) = (begin, 0);
        let (limit, retried, reached) = loop {
            sleep(POLL);
            let all = self.crowds.ask("status")?;
            let (open, waiting) = (sum(&all, "open")?, sum(&all, "opening")? + sum(&all, "absent")?);
            if open > most {
                (progress, most) = (Instant::now(), open);
            }
            let ended = if waiting == 0 {
                None
            } else if machine::available() < self.reserve {
                Some(too_little.clone())
            } else if let Some(limit) =
                all.iter().filter_map(|one| one.text("limit")).find(|text| !text.is_empty())
            {
                Some(limit.replace('_', " "))
            } else if progress.elapsed() > STALLED {
                let drops = machine::counter("ListenDrops") - drops;
                Some(format!(
                    "no connection has opened for {STALLED:?}; {drops} SYNs were dropped, tcp_mem has {} pages",
                    machine::tcp_pages()
                ))
            } else {
                None
            };
            if ended.is_some() || waiting == 0 {
                break (ended, sum(&all, "retried")?, open);
            }
        };
        let took = begin.elapsed();
        if limit.is_some() {
            self.close_to(round(usize::try_from(reached)?))?;
        }
        Ok(Opened { reached, took, retried, limit })
    }

    /// Closes all but this many connections.
    fn close_to(&mut self, keep: usize) -> Result<(), Failure> {
        self.crowds.ask("hold")?;
        self.wait(STALLED, |all| Ok(sum(all, "opening")? == 0))?;
        let open = self.crowds.ask("status")?;
        let open: Vec<usize> = open.iter().map(|one| one.get("open")).collect::<Result<_, _>>()?;
        let mut left = open.iter().sum::<usize>().min(keep);
        let mut total: usize = open.iter().sum();
        let mut kept = Vec::new();
        for open in open {
            // The same share of each, so that the sum is exact.
            let some = (left * open).div_ceil(total.max(1)).min(left);
            (left, total) = (left - some, total - open);
            kept.push(some);
        }
        self.connections = kept.iter().sum();
        self.crowds.ask_each(|index| format!("keep {}", kept[index]))?;
        let keep = self.connections as u64;
        self.wait(self.patience, |all| Ok(sum(all, "open")? == keep))?;
        Ok(())
    }

    /// Waits until the answers of the crowds to `status` are as wanted, and returns the last ones in any case.
    fn wait(
        &mut self,
        most: Duration,
        mut done: impl FnMut(&[Answer]) -> Result<bool, Failure>,
    ) -> Result<Vec<Answer>, Failure> {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(2);
        loop {
            let all = self.crowds.ask("status")?;
            if done(&all)? || begin.elapsed() > most {
                return Ok(all);
            }
            self.check_memory()?;
            sleep(pause);
            pause = (pause * 2).min(POLL);
        }
    }

    /// Errors when so little memory is left that the machine is in danger.
    fn check_memory(&self) -> Result<(), Failure> {
        let available = machine::available();
        if available < self.reserve / 2 {
            return Err(
                format!("only {} MiB of memory are available: everything is ended", available >> 20).into()
            );
        }
        Ok(())
    }

    /// Lets the connections be idle; returns the processor time of the servers, of the crowds, of everything, and the pings.
    pub(crate) fn rest(
        &mut self,
        duration: Duration,
    ) -> Result<(Duration, Duration, Duration, u64), Failure> {
        let pings = sum(&self.crowds.ask("status")?, "pings")?;
        let times = |fleet: &Self| {
            (fleet.processor(), machine::processor_time(fleet.crowds.ids()), machine::busy_time())
        };
        let (servers, crowds, busy) = times(self);
        let begin = Instant::now();
        while begin.elapsed() < duration {
            sleep(duration.saturating_sub(begin.elapsed()).min(Duration::from_secs(1)));
            self.check_memory()?;
        }
        let after = times(self);
        let pings = sum(&self.crowds.ask("status")?, "pings")? - pings;
        Ok((after.0 - servers, after.1 - crowds, after.2 - busy, pings))
    }

    /// Has clients that are chosen at random send this many messages a second.
    pub(crate) fn echo(&mut self, rate: u64, duration: Duration) -> Result<Echoed, Failure> {
        let before = self.crowds.ask("status")?;
        let (processor, begin) = (self.processor(), Instant::now());
        let count = self.crowds.0.len();
        let rate = |index| share(usize::try_from(rate).unwrap_or(usize::MAX), count, index).1;
        self.crowds.ask_each(|index| format!("echo {} {}", rate(index), duration.as_secs()))?;
        sleep(duration.saturating_sub(begin.elapsed()));
        let all = self.wait(self.patience, |all| Ok(sum(all, "waiting")? + sum(all, "echoing")? == 0))?;
        let (took, processor) = (begin.elapsed(), self.processor() - processor);
        let since = |name| -> Result<u64, Failure> { Ok(sum(&all, name)? - sum(&before, name)?) };
        let (sent, echoed, late) = (since("sent")?, since("echoed")?, since("late")?);
        let mut times = Times::default();
        for answer in self.crowds.ask("times")? {
            times.add(&answer.get("times")?);
        }
        Ok(Echoed { sent, lost: sent - echoed, late, times, took, processor })
    }

    /// Sends a message to everyone.
    pub(crate) fn broadcast(&mut self) -> Result<Delivered, Failure> {
        self.crowds.ask("await")?;
        self.published += 1;
        let processor = self.processor();
        let begin = machine::micros_since_1970();
        let published = self.servers.ask(&format!("publish {}", self.published))?;
        let delivered = sum(&published, "delivered")?;
        let all = self.connections as u64;
        let answers = self.wait(self.patience, |answers| Ok(sum(answers, "received")? >= delivered))?;
        let received = sum(&answers, "received")?;
        let micros = |name| answers.iter().map(|one| one.get::<u64>(name)).collect::<Result<Vec<_>, _>>();
        let first = micros("began")?.into_iter().filter(|micros| *micros > 0).min().unwrap_or_default();
        let last = micros("ended")?.into_iter().max().unwrap_or_default();
        Ok(Delivered {
            received,
            lost: all.saturating_sub(received),
            first: Duration::from_micros(first.saturating_sub(begin)),
            spread: Duration::from_micros(last - first),
            processor: self.processor() - processor,
        })
    }

    /// Shuts all servers down.
    pub(crate) fn drain(&mut self) -> Result<Drained, Failure> {
        self.crowds.ask("drain")?;
        let begin = Instant::now();
        let drained = self.servers.ask("stop")?;
        let took = begin.elapsed();
        let all = self.wait(STALLED, |all| Ok(sum(all, "open")? == 0))?;
        Ok(Drained {
            took,
            closed: sum(&drained, "closed")?,
            aborted: sum(&drained, "aborted")?,
            said_goodbye: sum(&all, "closed")?,
        })
    }

    /// Returns how many connections were lost, with the reason of the first.
    pub(crate) fn lost(&mut self) -> Result<(u64, String), Failure> {
        let all = self.crowds.ask("status")?;
        let why = all.iter().filter_map(|one| one.text("first_loss")).find(|text| !text.is_empty());
        Ok((sum(&all, "lost")?, why.unwrap_or_default().replace('_', " ")))
    }

    pub(crate) fn processor(&self) -> Duration {
        machine::processor_time(self.servers.ids())
    }

    /// Returns the memory of the server processes, and of the crowds, and that of the machine.
    pub(crate) fn memory(&self) -> (u64, u64, Memory) {
        (machine::user_memory(self.servers.ids()), machine::user_memory(self.crowds.ids()), Memory::read())
    }
}

/// A shutdown spreads its Close frames so that there are this many a second.
const DRAINED_A_SECOND: u64 = 20_000;
/// How often the crowds are asked how far they are.
const POLL: Duration = Duration::from_millis(200);
/// How long nothing may happen.
const STALLED: Duration = Duration::from_secs(20);

/// Returns the first of the things of one of several processes that divide them, and how many those are.
fn share(things: usize, processes: usize, index: usize) -> (usize, usize) {
    let start = |index: usize| things / processes * index + (things % processes).min(index);
    (start(index), start(index + 1) - start(index))
}
