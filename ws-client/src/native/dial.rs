//! Connecting to a host over TCP: tries all its addresses, IPv6 first, without waiting for dead ones (RFC 8305).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::debug::debug_as_display;

/// None of a host's addresses could be connected to.
#[non_exhaustive]
pub struct DialError {
    /// The requested host and port.
    pub authority: String,
    /// Each address that was tried and its error, in the order of the errors.
    pub attempts: Vec<(SocketAddr, io::Error)>,
}

debug_as_display!(DialError);

// `source` returns none: the message includes all of them.
impl std::error::Error for DialError {}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = |e: &io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
        if self.attempts.is_empty() {
            return write!(f, "{} has no address", self.authority);
        }
        if self.attempts.iter().all(|(_, e)| refused(e)) {
            f.write_str("connection refused by ")?;
            for (i, (address, _)) in self.attempts.iter().enumerate() {
                write!(f, "{}{address}", if i == 0 { "" } else { " and " })?;
            }
            return f.write_str(": is the server running?");
        }
        write!(f, "cannot reach {}: ", self.authority)?;
        for (i, (address, error)) in self.attempts.iter().enumerate() {
            write!(f, "{}{address}: {error}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Connects to the first address that answers.
///
/// Attempts start `delay` after one another, or at once when the last has failed (RFC 8305 section 5). When one succeeds the
/// others are dropped.
pub(crate) async fn dial(
    authority: String,
    addresses: Vec<SocketAddr>,
    delay: Duration,
) -> Result<TcpStream, DialError> {
    let mut waiting = interleave(addresses).into_iter();
    let mut running = JoinSet::new();
    let mut attempts = Vec::new();
    let mut next = Instant::now();
    loop {
        tokio::select! {
            biased;
            Some(ended) = running.join_next() => match ended {
                Ok((_, Ok(stream))) => return Ok(stream),
                Ok((address, Err(error))) => {
                    attempts.push((address, error));
                    next = Instant::now();
                }
                // An attempt cannot panic and is aborted only with the set.
                Err(_) => {}
            },
            () = sleep_until(next), if waiting.len() > 0 => {
                if let Some(address) = waiting.next() {
                    running.spawn(async move { (address, TcpStream::connect(address).await) });
                    next = Instant::now() + delay;
                }
            }
            else => return Err(DialError { authority, attempts }),
        }
    }
}

/// Returns IPv6 and IPv4 addresses alternately, IPv6 first, each once, otherwise in the resolver's order (RFC 8305
/// section 4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut order = Vec::new();
    loop {
        let pair = [v6.next(), v4.next()];
        if pair == [None, None] {
            return order;
        }
        for address in pair.into_iter().flatten() {
            if !order.contains(&address) {
                order.push(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|a| a.parse().unwrap()).collect()
    }

    #[test]
    fn address_families_alternate_and_duplicates_are_removed() {
        let given = addresses(&["1.1.1.1:1", "1.1.1.2:1", "[::1]:1", "1.1.1.1:1", "1.1.1.3:1", "[::2]:1"]);
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "1.1.1.3:1"]);
        assert_eq!(interleave(given), expected);
    }

    /// A listener whose queue is full drops further SYNs: the closest thing to a dead route on loopback.
    async fn deaf(address: &str) -> (TcpListener, Vec<tokio::task::JoinHandle<io::Result<TcpStream>>>) {
        let socket =
            if address.starts_with('[') { TcpSocket::new_v6() } else { TcpSocket::new_v4() }.unwrap();
        socket.bind(address.parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let fillers = (0..4).map(|_| tokio::spawn(TcpStream::connect(address))).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        (listener, fillers)
    }

    #[tokio::test]
    async fn an_ipv6_address_without_an_answer_costs_one_attempt_delay() {
        let (dead, _fillers) = deaf("[::1]:0").await;
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let both = vec![dead.local_addr().unwrap(), alive.local_addr().unwrap()];
        let started = Instant::now();
        let stream = dial("localhost:1".into(), both, Duration::from_millis(250)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive.local_addr().unwrap());
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(60), "{took:?}");
    }

    #[tokio::test]
    async fn a_refused_address_costs_no_delay() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refused = TcpListener::bind("[::1]:0").await.unwrap().local_addr().unwrap();
        let started = Instant::now();
        let both = vec![alive.local_addr().unwrap(), refused];
        let stream = dial("localhost:1".into(), both, Duration::from_secs(60)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive.local_addr().unwrap());
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn every_refusal_is_named_and_asks_for_the_server() {
        let one = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let two = TcpListener::bind("[::1]:0").await.unwrap().local_addr().unwrap();
        let error = dial("localhost:1".into(), vec![one, two], Duration::from_millis(250)).await.unwrap_err();
        let expected = format!("connection refused by {two} and {one}: is the server running?");
        assert_eq!(error.to_string(), expected);
        let error = dial("h:1".into(), vec![], Duration::ZERO).await.unwrap_err();
        assert_eq!(error.to_string(), "h:1 has no address");
    }
}
