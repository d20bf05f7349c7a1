//! What the clients of a crowd have sent and received, and whether that is right.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::machine;
use crate::peer::{GOING_AWAY, Peer, Phase, Received};
use crate::server::BROADCAST;
use crate::times::Times;

/// What a crowd reports.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) open: usize,
    pub(crate) opening: usize,
    pub(crate) draining: bool,
    /// Opening handshakes that failed and are tried again.
    pub(crate) retried: u64,
    /// What makes opening more impossible.
    pub(crate) limit: Option<String>,
    pub(crate) lost: u64,
    pub(crate) first_loss: Option<String>,
    pub(crate) pings: u64,
    pub(crate) sent: u64,
    pub(crate) echoed: u64,
    /// Messages that have been sent and have not come back.
    pub(crate) waiting: u64,
    /// Messages that were not sent, because earlier ones had not come back.
    pub(crate) late: u64,
    pub(crate) times: Times,
    /// Broadcasts that have arrived since `await`, and when the first and the last of them, in microseconds since 1970.
    pub(crate) received: u64,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    /// Connections that the server has closed with 1001, to the end.
    pub(crate) closed: u64,
}

impl Counts {
    /// Counts what a client has received; errors if that is not what it should be.
    pub(crate) fn note(
        &mut self,
        number: usize,
        peer: &mut Peer,
        received: &Received<'_>,
        now: Duration,
    ) -> io::Result<()> {
        match *received {
            Received::Opened => {
                self.opening -= 1;
                self.open += 1;
            }
            Received::Ping => self.pings += 1,
            Received::Text(payload) if payload.starts_with(BROADCAST.as_bytes()) => {
                let next = format!("{BROADCAST} {} ", peer.broadcasts + 1);
                if !payload.starts_with(next.as_bytes()) {
                    return Err(io::Error::other(format!("a broadcast is not the next: not {next:?}")));
                }
                peer.broadcasts += 1;
                self.received += 1;
                self.ended = machine::micros_since_1970();
                if self.began == 0 {
                    self.began = self.ended;
                }
            }
            Received::Text(payload) => {
                if peer.asked == 0 || payload != text(number, peer.sequence).as_bytes() {
                    return Err(io::Error::other("a message is no echo of the last one sent"));
                }
                self.times.record(u64::from(micros(now).saturating_sub(peer.asked)));
                peer.asked = 0;
                self.waiting -= 1;
                self.echoed += 1;
            }
            Received::Close(GOING_AWAY) if self.draining => {}
            Received::Close(code) => {
                return Err(io::Error::other(format!("the server closed with {code}")));
            }
            Received::End => {
                self.open -= 1;
                self.waiting -= u64::from(peer.asked != 0);
                self.closed += u64::from(peer.phase == Phase::Closed);
                *peer = Peer::default();
            }
        }
        Ok(())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().replace(' ', "_");
        for (name, number) in [
            ("open", self.open as u64),
            ("opening", self.opening as u64),
            ("retried", self.retried),
            ("lost", self.lost),
            ("pings", self.pings),
            ("sent", self.sent),
            ("echoed", self.echoed),
            ("waiting", self.waiting),
            ("late", self.late),
            ("received", self.received),
            ("began", self.began),
            ("ended", self.ended),
            ("closed", self.closed),
        ] {
            write!(f, "{name}={number} ")?;
        }
        write!(f, "limit={} first_loss={}", text(&self.limit), text(&self.first_loss))
    }
}

/// Returns the message of a client: 64 bytes.
pub(crate) fn text(number: usize, sequence: u32) -> String {
    format!("{number:>16} {sequence:>16} and so on to sixty-four.....")
}

/// Returns a time on the crowd's clock, which ends after 71 minutes; never 0.
pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1)
}
