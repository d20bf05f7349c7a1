//! Tickets that are good once.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::Instant;

/// Tickets that open one WebSocket each: a page asks for one by a request that is authenticated in another way, and puts it into the
/// query of its WebSocket's URL. A URL may end in a log, so a ticket is good once and for a short time, and stands for a
/// value: the user, say.
///
/// ```
/// use std::time::Duration;
/// use ws_server::auth::Tickets;
///
/// let tickets = Tickets::new(Duration::from_secs(30));
/// let ticket = tickets.issue("ada")?;
/// assert_eq!(tickets.redeem(&ticket), Some("ada"));
/// assert_eq!(tickets.redeem(&ticket), None, "it has been used");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// They are in the memory of this process. Neither this nor the log of this crate shows one: the log has the path of a
/// request without its query.
pub struct Tickets<T> {
    lifetime: Duration,
    most: usize,
    issued: Mutex<Issued<T>>,
}

struct Issued<T> {
    values: HashMap<Number, (Instant, T)>,
    /// In the order in which they expire, those that have been used included.
    order: VecDeque<(Instant, Number)>,
}

type Number = [u8; 16];

impl<T> Tickets<T> {
    /// Tickets that are good for `lifetime`. At most 65,536 wait to be used; beyond, the oldest is good no more.
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        let issued = Issued { values: HashMap::new(), order: VecDeque::new() };
        Self { lifetime, most: 65_536, issued: Mutex::new(issued) }
    }

    /// Sets how many may wait to be used.
    #[must_use]
    pub const fn max_tickets(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Issues a ticket, which stands for this value: 22 characters that need no encoding in a URL, with 128 random bits.
    ///
    /// # Errors
    /// That of the system's random generator.
    pub fn issue(&self, value: T) -> io::Result<String> {
        let mut number = Number::default();
        getrandom::fill(&mut number).map_err(|error| io::Error::other(error.to_string()))?;
        let now = Instant::now();
        let mut issued = self.issued();
        let Issued { values, order } = &mut *issued;
        while let Some((until, oldest)) = order.front()
            && (*until <= now || order.len() >= self.most.max(1))
        {
            values.remove(oldest);
            order.pop_front();
        }
        if let Some(until) = now.checked_add(self.lifetime) {
            order.push_back((until, number));
            values.insert(number, (until, value));
        }
        Ok(URL_SAFE_NO_PAD.encode(number))
    }

    /// Returns what a ticket stands for; `None` if there is no such ticket, it has expired, or it has been used: this uses it.
    pub fn redeem(&self, ticket: &str) -> Option<T> {
        let number = Number::try_from(URL_SAFE_NO_PAD.decode(ticket).ok()?).ok()?;
        let (until, value) = self.issued().values.remove(&number)?;
        (Instant::now() < until).then_some(value)
    }

    fn issued(&self) -> MutexGuard<'_, Issued<T>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Tickets<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets")
            .field("lifetime", &self.lifetime)
            .field("waiting", &self.issued().values.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_good_once_and_until_it_expires() {
        let tickets = Tickets::new(Duration::from_secs(30));
        let (one, two) = (tickets.issue(1).unwrap(), tickets.issue(2).unwrap());
        assert_eq!((one.len(), one == two), (22, false));
        assert_eq!((tickets.redeem(&one), tickets.redeem(&one)), (Some(1), None));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(tickets.redeem(&two), None);
        for other in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA=="] {
            assert_eq!(tickets.redeem(other), None, "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tickets_that_nobody_uses_are_bounded_by_number_and_by_time() {
        let tickets = Tickets::new(Duration::from_secs(30)).max_tickets(3);
        let all: Vec<_> = (0..5).map(|n| tickets.issue(n).unwrap()).collect();
        assert_eq!(format!("{tickets:?}"), "Tickets { lifetime: 30s, waiting: 3, .. }");
        let left: Vec<_> = all.iter().map(|ticket| tickets.redeem(ticket)).collect();
        assert_eq!(left, [None, None, Some(2), Some(3), Some(4)]);
        tickets.issue(5).unwrap();
        tokio::time::advance(Duration::from_secs(31)).await;
        tickets.issue(6).unwrap();
        let issued = tickets.issued();
        assert_eq!((issued.values.len(), issued.order.len()), (1, 1));
    }
}
