//! The seats of opening handshakes: which newcomer gets one, and whose is taken away for it.
//!
//! - A free seat goes to a newcomer whose source holds less than [`SHARE`] times as many as are free. So one source
//!   alone fills four fifths of the seats, and others still find one; the more sources there are, the less each
//!   may hold.
//! - Beyond that a newcomer waits, and those behind it in the listen backlog, for as long as the handshakes of its
//!   source come to an end: a burst of honest clients is served in full.
//! - When all seats are taken, a handshake that stands still gives way: one of the source that holds most, at random
//!   among equals. It stands still when its peer has neither sent nor taken a byte for [`SILENCE`], or it is older
//!   than [`SLOW`]. Without one, the newcomer waits for a seat or for that.
//! - A source most of whose handshakes stand still, rather than end, has everybody else wait in vain. After
//!   [`PATIENCE`] its newcomers take the places of its own handshakes that stand still, and are cut off when there is
//!   none, so that those behind them are reached.

mod holder;
mod sources;
mod state;
#[cfg(test)]
mod tests;

use std::hash::RandomState;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use self::state::State;
use crate::config::error::AcceptError;
use crate::transport::source::Source;
use crate::transport::watched::Watcher;

/// All seats.
#[derive(Debug)]
pub(crate) struct Handshakes {
    limit: usize,
    epoch: Instant,
    random: RandomState,
    state: Mutex<State>,
    /// Notified when a seat becomes free.
    freed: Notify,
}

/// A handshake that has a seat.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) seat: HandshakeSeat,
    /// Receives why the handshake has to end, if it has to.
    pub(crate) cut: oneshot::Receiver<AcceptError>,
}

/// A seat; freed when it is dropped.
#[derive(Debug)]
pub(crate) struct HandshakeSeat(Arc<Progress>);

/// When something last moved on a connection.
#[derive(Debug)]
pub(crate) struct Progress {
    handshakes: Arc<Handshakes>,
    id: u64,
    /// Milliseconds after the epoch.
    last: AtomicU64,
    stands_still: AtomicBool,
    /// Whether the seat has been given back.
    has_left: AtomicBool,
}

/// What becomes of a newcomer.
enum Verdict {
    Seated(Handshake),
    CutOff,
    /// Look again when a seat is free, or at this time.
    Wait(Instant),
}

impl Handshakes {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let (state, freed) = (Mutex::default(), Notify::new());
        Arc::new(Self { limit, epoch: Instant::now(), random: RandomState::new(), state, freed })
    }

    /// A seat for a newcomer, once there is one; `None` when the newcomer is to be cut off.
    pub(crate) async fn seat(self: &Arc<Self>, source: Source) -> Option<Handshake> {
        // Most find one at once, and need no notice.
        match self.judge(source, Instant::now()) {
            Verdict::Seated(handshake) => return Some(handshake),
            Verdict::CutOff => return None,
            Verdict::Wait(_) => {}
        }
        loop {
            let freed = self.freed.notified();
            let mut freed = std::pin::pin!(freed);
            freed.as_mut().enable();
            let now = Instant::now();
            let until = match self.judge(source, now) {
                Verdict::Seated(handshake) => return Some(handshake),
                Verdict::CutOff => return None,
                Verdict::Wait(until) => until,
            };
            let _ = timeout_at(until, freed).await;
            self.state().count_wait(now, Instant::now());
        }
    }

    /// Ends all handshakes, for a shutdown.
    pub(crate) fn cut_all(&self) {
        let mut state = self.state();
        let all: Vec<u64> = state.seats.keys().copied().collect();
        for id in all {
            state.cut(id, AcceptError::ShuttingDown);
        }
    }

    /// Whether any is in progress.
    #[cfg(all(unix, feature = "service"))]
    pub(crate) fn any(&self) -> bool {
        !self.state().seats.is_empty()
    }

    fn judge(self: &Arc<Self>, source: Source, now: Instant) -> Verdict {
        let mut state = self.state();
        state.look(self, now);
        let free = self.limit.saturating_sub(state.seats.len());
        let place = state.sources.find(source);
        let held = place.and_then(|place| state.sources.get(place)).map_or(0, |holder| holder.seats);
        if held < SHARE.saturating_mul(free) {
            return Verdict::Seated(state.take_seat(self, (source, place), now));
        }
        if free == 0
            && let Some(id) = state.still_of_most(self, held)
        {
            return Verdict::Seated(state.displace(self, id, source, now));
        }
        let next = state.due.first().map_or(now + LONGEST_LOOK, |(due, _)| *due);
        let wait = Verdict::Wait(next.clamp(now + SHORTEST_LOOK, now + LONGEST_LOOK));
        let (draw, waited) = (state.draw(self), state.waited);
        let Some(holder) = place.and_then(|place| state.sources.get_mut(place)) else { return wait };
        if holder.seats == 0 {
            return wait;
        }
        let spent = waited.saturating_sub(mem::replace(&mut holder.seen, waited));
        holder.allowance = holder.allowance.saturating_sub(spent);
        if holder.stood_still <= holder.ended.saturating_add(holder.seats / 2) {
            if !holder.allowance.is_zero() {
                holder.trusted_at = waited;
                return wait;
            }
        } else if waited.saturating_sub(holder.trusted_at) < PATIENCE {
            return wait;
        }
        let Some(id) = holder.any_still(draw) else { return Verdict::CutOff };
        Verdict::Seated(state.displace(self, id, source, now))
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HandshakeSeat {
    /// The handshake has ended well: the request is whole. The seat is free.
    pub(crate) fn end(&self) {
        self.0.leave(true);
    }

    /// The client turns out to be another than the peer: from now on the seat counts for it.
    pub(crate) fn belongs_to(&self, source: Source) {
        let Progress { handshakes, id, .. } = &*self.0;
        handshakes.state().give(handshakes, *id, source, Instant::now());
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        self.0.clone()
    }
}

impl Drop for HandshakeSeat {
    fn drop(&mut self) {
        self.0.leave(false);
    }
}

impl Watcher for Progress {
    fn moved(&self) {
        let now = Instant::now();
        self.last.store(self.handshakes.millis(now), SeqCst);
        if self.stands_still.load(SeqCst) {
            self.handshakes.state().revive(self.id, now);
        }
    }
}

impl Progress {
    /// Until when it does not stand still, if nothing moves.
    fn fresh_until(&self, since: Instant) -> Instant {
        let last = self.handshakes.epoch + Duration::from_millis(self.last.load(SeqCst));
        (last + SILENCE).min(since + SLOW)
    }

    fn leave(&self, well: bool) {
        if self.has_left.swap(true, SeqCst) {
            return;
        }
        self.handshakes.state().leave(self.id, well, self.handshakes.limit);
        self.handshakes.freed.notify_waiters();
    }
}

/// A source may hold up to this many times as many seats as are free.
const SHARE: usize = 4;
/// Without a byte for this long a handshake counts as stalled: longer than the round trip of any honest link.
const SILENCE: Duration = Duration::from_secs(1);
/// A handshake older than this is stalled whatever arrives.
const SLOW: Duration = Duration::from_secs(3);
/// A source is judged by this many handshakes per seat.
const MEMORY: usize = 4;
/// How long others wait for a source whose handshakes are stalled.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long others wait for a source whose handshakes are not stalled but hardly end: as long as one may take.
const ALLOWANCE: Duration = SLOW;
/// What each handshake that ends well adds to it. A source of which more than sixty end in a second is waited for without
/// limit; one that holds its seats as long as it may, and then completes requests, is not.
const EARNED: Duration = Duration::from_millis(15);
/// While a newcomer waits, the seats are looked at when one may have stalled: at most as often as the first, at least as
/// often as the second.
const SHORTEST_LOOK: Duration = Duration::from_millis(5);
const LONGEST_LOOK: Duration = Duration::from_millis(100);
