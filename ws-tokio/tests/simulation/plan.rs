//! What happens in a simulation: all of it follows from the seed.

use std::sync::Arc;
use std::time::Duration;

use ws_core::deflate::{self, Agreed, PerMessageDeflate, WindowBits};
use ws_core::{Config, Connection, Keepalive, ProtocolError};

use super::chance::Chance;
use super::network::Shape;
use super::pipe::Link;

#[derive(Debug)]
pub struct Plan {
    pub shape: Shape,
    pub fault: Fault,
    pub ends: [End; 2],
    pub deflate: Option<(Agreed, deflate::Config)>,
    /// Tasks are also polled without a reason.
    pub spurious: bool,
}

/// What befalls the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// A pause that no deadline notices.
    Stall {
        from: u64,
        to: u64,
    },
    Reset {
        at: u64,
    },
    /// From then on nothing moves.
    Freeze {
        at: u64,
    },
    /// What one end sends stops: the other sees the end of the stream.
    Cut {
        end: usize,
        after: usize,
    },
}

/// What one end does.
#[derive(Debug, Clone)]
pub struct End {
    pub config: Config,
    /// Tasks that send; 0 for a WebSocket that is not split.
    pub senders: usize,
    /// Messages each of them sends, the last one included.
    pub messages: usize,
    pub max_size: usize,
    pub ending: Ending,
    /// Once in this many times a future is dropped before it is done; 0 for never.
    pub cancel: usize,
    /// Messages are taken in pieces now and then.
    pub streams: bool,
    /// The halves are put together again before the end.
    pub reunite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Goes on until the peer closes.
    Wait,
    /// Closes once everything has come.
    CloseWhenDone,
    /// Closes in the middle, after this many messages.
    CloseAfter(usize),
    /// Is dropped in the middle.
    DropAfter(usize),
}

impl Plan {
    pub fn new(chance: &mut Chance) -> Self {
        let grain = chance.pick(&[1, 3, 17, 200, 200, 1 << 10, 1 << 10, 1 << 10, 8 << 10, 64 << 10]);
        let room = chance.pick(&[1, 64, 1 << 10, 4 << 10, 64 << 10]).max(grain / 2);
        let delay = if room < 4 << 10 { 0 } else { chance.pick(&[0, 0, 1, 20]) };
        let shape = Shape {
            room,
            grain,
            delay,
            hesitation: chance.pick(&[0, 20]),
            held: chance.pick(&[0, 0, 1, 100, 16 << 10]),
            link: None,
        };
        if chance.one_in(4) {
            return Self::slow(chance);
        }
        // So that no simulation is long: a message takes at most some ten steps.
        let step = if shape.held == 0 { grain.min(room) } else { grain.min(room).min(shape.held) };
        let max_size = (step * 8).max(30).min(chance.pick(&[40, 1 << 10, 20 << 10, 150 << 10]));
        let fault = match chance.below(10) {
            0 => Fault::Reset { at: chance.below(200) as u64 },
            1 => Fault::Freeze { at: chance.below(200) as u64 },
            2 => Fault::Cut { end: chance.below(2), after: chance.below(max_size * 6) },
            3 => {
                let from = chance.below(100) as u64;
                Fault::Stall { from, to: from + 1 + chance.below(1500) as u64 }
            }
            _ => Fault::None,
        };
        let mut ends = End::both(chance, max_size);
        if let Fault::Freeze { .. } = fault {
            // Without it the end would never be noticed.
            let seconds = Duration::from_secs(5);
            let keepalive = Keepalive::default().interval(seconds).timeout(seconds);
            ends.iter_mut().for_each(|end| end.config.keepalive = Some(keepalive));
        }
        Self { shape, fault, ends, deflate: Self::deflate(chance), spurious: chance.one_in(4) }
    }

    /// A link on which messages take seconds; with the deadlines that a user has, or shorter ones. Nothing else is wrong
    /// with it most of the time.
    fn slow(chance: &mut Chance) -> Self {
        let bandwidth = chance.pick(&[4_000, 16_000, 64_000]);
        // In milliseconds: what the system takes at once is in time for every deadline.
        let ahead = chance.pick(&[100, 500, 2000]);
        let kernel = (bandwidth * ahead / 1000) as usize;
        let deep = chance.pick(&[kernel, (bandwidth * 20) as usize]);
        let grain = chance.pick(&[1 << 10, 8 << 10, 64 << 10]);
        let shape = Shape {
            room: deep + (64 << 10),
            grain,
            delay: chance.pick(&[0, 20, 200]),
            hesitation: chance.pick(&[0, 20]),
            held: chance.pick(&[0, 0, 16 << 10]),
            link: Some(Link { bandwidth, kernel, deep }),
        };
        let max_size = (bandwidth as usize * 8).min(150 << 10);
        let fault = match chance.below(10) {
            0 => Fault::Reset { at: chance.below(20_000) as u64 },
            1 => Fault::Freeze { at: chance.below(20_000) as u64 },
            _ => Fault::None,
        };
        let mut ends = End::both(chance, max_size);
        for end in &mut ends {
            end.config.close_timeout = Duration::from_secs(5);
            end.config.message_timeout = Some(Duration::from_secs(5));
            // Without it the freeze would never be noticed.
            let needed = matches!(fault, Fault::Freeze { .. });
            end.config.keepalive = (chance.one_in(2) || needed).then(|| {
                Keepalive::default()
                    .interval(Duration::from_millis(chance.pick(&[500, 5000, 20_000])))
                    .timeout(Duration::from_secs(5))
            });
        }
        Self { shape, fault, ends, deflate: Self::deflate(chance), spurious: chance.one_in(4) }
    }

    fn deflate(chance: &mut Chance) -> Option<(Agreed, deflate::Config)> {
        chance.one_in(2).then(|| {
            let bits = |chance: &mut Chance| WindowBits::new(9 + chance.below(7) as u8).unwrap();
            let agreed = Agreed {
                server_no_context_takeover: chance.one_in(2),
                client_no_context_takeover: chance.one_in(2),
                server_max_window_bits: bits(chance),
                client_max_window_bits: bits(chance),
            };
            let mut config = deflate::Config::server();
            config.threshold = chance.pick(&[0, 20, 1024]);
            (agreed, config)
        })
    }

    /// Nothing disturbs it: all that is sent must arrive, and both ends must agree on everything.
    pub fn is_calm(&self) -> bool {
        matches!(self.fault, Fault::None | Fault::Stall { .. })
            && self.ends.iter().all(|end| matches!(end.ending, Ending::Wait | Ending::CloseWhenDone))
    }

    /// Whether an end may blame its peer for this: a message stands still where nothing moves any more, and only there.
    pub fn may_report(&self, error: ProtocolError) -> bool {
        matches!(error, ProtocolError::MessageStalled { .. }) && matches!(self.fault, Fault::Freeze { .. })
    }

    pub fn connection(&self, end: usize) -> Connection {
        let config = Arc::new(self.ends[end].config.clone());
        match (end, &self.deflate) {
            (0, None) => Connection::client(config, [7; 32]),
            (_, None) => Connection::server(config),
            (0, Some((agreed, deflate))) => {
                Connection::client(config, [7; 32]).with_deflate(PerMessageDeflate::client(*agreed, deflate))
            }
            (_, Some((agreed, deflate))) => {
                Connection::server(config).with_deflate(PerMessageDeflate::server(*agreed, deflate))
            }
        }
    }
}

impl End {
    /// Two of them, at least one of which ends it.
    fn both(chance: &mut Chance, max_size: usize) -> [Self; 2] {
        let mut ends = [Self::new(chance, max_size), Self::new(chance, max_size)];
        match chance.below(8) {
            0 | 1 => ends[0].ending = Ending::CloseWhenDone,
            2 | 3 => ends[1].ending = Ending::CloseWhenDone,
            4 => ends.iter_mut().for_each(|end| end.ending = Ending::CloseWhenDone),
            5 => ends.iter_mut().for_each(|end| end.ending = Ending::CloseAfter(1)),
            6 => ends[chance.below(2)].ending = Ending::CloseAfter(chance.below(6)),
            _ => ends[chance.below(2)].ending = Ending::DropAfter(chance.below(6)),
        }
        ends
    }

    fn new(chance: &mut Chance, max_size: usize) -> Self {
        let mut config = if chance.one_in(2) { Config::server() } else { Config::client() };
        config.max_frame_size = chance.pick(&[125, 1000, 64 << 10, 256 << 10]);
        config.send_high_water = chance.pick(&[1, 100, 4 << 10, 64 << 10]);
        config.max_queued = chance.pick(&[config.send_high_water, 1 << 20]);
        config.close_timeout = Duration::from_secs(20);
        config.message_timeout = Some(Duration::from_secs(20));
        config.delay_close_reply = chance.one_in(4);
        config.keepalive = chance.one_in(2).then(|| {
            Keepalive::default()
                .interval(Duration::from_millis(chance.pick(&[50, 1000, 20_000])))
                .timeout(Duration::from_secs(10))
        });
        let senders = chance.pick(&[0, 0, 1, 2, 4]);
        Self {
            config,
            senders,
            messages: 1 + chance.below(if senders > 1 { 3 } else { 6 }),
            max_size,
            ending: Ending::Wait,
            cancel: chance.pick(&[0, 0, 2, 5]),
            streams: chance.one_in(3),
            reunite: chance.one_in(4),
        }
    }

    pub fn reunites(&self) -> bool {
        self.reunite && matches!(self.ending, Ending::Wait | Ending::CloseWhenDone)
    }

    /// The most memory this end may hold, in bytes, and how much of it is the compressors'.
    pub fn max_memory(&self) -> usize {
        // What waits in a Vec has at most twice the room it needs.
        let outbound = 2 * (self.config.send_high_water + 2 * self.max_size + 4096);
        let inbound = 2 * (64 << 10) + 4 * self.max_size;
        outbound + inbound + (512 << 10)
    }
}
