//! How long `reconnect` waits: by tokio's paused time, so that minutes take no time and nothing depends on the machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::common::memory::{Act, Memory};
use tokio::time::Instant;
use ws_client::{Backoff, Client, ConnectError, Options, Reconnect};

/// The calls of a hook: failures, whether there was an error, delay.
type Waits = Arc<Mutex<Vec<(u32, bool, Duration)>>>;

fn client(server: Arc<Memory>, change: impl FnOnce(&mut Backoff)) -> Client {
    let mut options = Options::default();
    options.connector = Some(server);
    change(&mut options.backoff);
    options.build().unwrap()
}

/// Connections of this client, and the calls of their hook.
fn watched(client: &Client) -> (Reconnect, Waits) {
    let waits = Waits::default();
    let calls = waits.clone();
    let connections = client.reconnect("ws://h").unwrap().on_wait(move |retry| {
        calls.lock().unwrap().push((retry.failures, retry.error.is_some(), retry.delay));
    });
    (connections, waits)
}

fn delays(waits: &Waits) -> Vec<Duration> {
    waits.lock().unwrap().iter().map(|(_, _, delay)| *delay).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn delays_are_spread_by_chance_and_waited_for() {
    let client = client(Memory::new([Act::Refuse]), |backoff| {
        (backoff.initial, backoff.max, backoff.max_failures) = (SECOND, SECOND, Some(201));
    });
    let (mut connections, waits) = watched(&client);
    let started = Instant::now();
    connections.next().await.unwrap_err();
    let took = started.elapsed();
    let mut delays = delays(&waits);
    // The last failure is returned, and nothing waited for.
    assert_eq!(delays.len(), 200);
    let sum: Duration = delays.iter().sum();
    // tokio's timers have a resolution of a millisecond.
    assert!(took >= sum && took <= sum + Duration::from_millis(2 * 200), "{took:?} for {sum:?}");
    delays.sort();
    assert!(delays.iter().all(|delay| *delay <= SECOND), "{delays:?}");
    // Each of these fails by chance once in 10¹⁹ runs.
    assert!(delays[0] < SECOND / 5 && delays[199] > SECOND * 4 / 5, "{delays:?}");
    delays.dedup();
    assert!(delays.len() > 150, "{delays:?}");
}

#[tokio::test(start_paused = true)]
async fn two_clients_wait_for_different_times() {
    let client = client(Memory::new([Act::Refuse]), |backoff| backoff.max_failures = Some(9));
    let (mut one, mut other) = (watched(&client), watched(&client));
    one.0.next().await.unwrap_err();
    other.0.next().await.unwrap_err();
    assert_ne!(delays(&one.1), delays(&other.1));
}

#[tokio::test(start_paused = true)]
async fn delays_grow_against_a_server_that_accepts_and_drops() {
    let client = client(Memory::new([Act::open(Duration::ZERO)]), |_| ());
    let (mut connections, waits) = watched(&client);
    for _ in 0..48 {
        drop(connections.next().await.unwrap());
    }
    let waits = waits.lock().unwrap().clone();
    for (index, (failures, has_error, delay)) in waits.iter().enumerate() {
        assert_eq!((*failures as usize, *has_error), (index + 1, false));
        let bound = Duration::from_millis(500 << index.min(10)).min(Duration::from_secs(30));
        assert!(*delay <= bound, "{index}: {delay:?}");
    }
    // Forty delays of up to 30 s: less than 2 minutes in all comes once in 10¹⁸ runs.
    let late: Duration = waits.iter().skip(7).map(|(_, _, delay)| *delay).sum();
    assert!(late > Duration::from_secs(120), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lived_for_stable_after_resets_the_delays() {
    for (lives, failures) in [(Duration::from_millis(9_990), 4), (Duration::from_millis(10_010), 0)] {
        let refusals = [Act::Refuse, Act::Refuse, Act::Refuse];
        let server = Memory::new(refusals.into_iter().chain([Act::open(lives)]));
        let (mut connections, waits) = watched(&client(server, |_| ()));
        let (mut socket, _) = connections.next().await.unwrap();
        assert_eq!((connections.failures(), connections.last_error().is_none()), (4, true));
        socket.recv().await.unwrap_err();
        connections.next().await.unwrap();
        let (counted, has_error, delay) = waits.lock().unwrap()[3];
        assert_eq!((counted, has_error), (failures, false), "after {lives:?}");
        assert!(failures > 0 || delay <= Duration::from_millis(500), "{delay:?} after {lives:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stable_after_decides_when_a_connection_counts_as_a_success() {
    let server = Memory::new([Act::open(SECOND)]);
    let (mut connections, waits) = watched(&client(server, |backoff| backoff.stable_after = SECOND / 2));
    for _ in 0..3 {
        let (mut socket, _) = connections.next().await.unwrap();
        socket.recv().await.unwrap_err();
    }
    assert!(waits.lock().unwrap().iter().all(|(failures, ..)| *failures == 0), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn reconnect_reports_the_error_while_it_waits() {
    let busy = "HTTP/1.1 503 X\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
    let forbidden = "HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n";
    let acts = [Act::Refuse, Act::answer(Duration::ZERO, busy), Act::answer(Duration::ZERO, forbidden)];
    let (mut connections, waits) = watched(&client(Memory::new(acts), |_| ()));
    assert_eq!((connections.failures(), connections.last_error().is_none()), (0, true));
    // Dropped while it waits for the second time: the wait goes on.
    let waited = tokio::time::timeout(SECOND * 3, connections.next()).await;
    assert!(waited.is_err());
    assert_eq!(connections.failures(), 2);
    let error = connections.last_error().unwrap();
    assert_eq!((error.response().unwrap().status().as_u16(), error.retry_after()), (503, Some(SECOND * 5)));
    assert!(format!("{connections:?}").contains("failures: 2"), "{connections:?}");
    let error = connections.next().await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 403);
    // No wait follows what is returned, and the hook is not called for one.
    assert!(connections.last_error().is_none());
    let calls: Vec<_> =
        waits.lock().unwrap().iter().map(|(failures, error, _)| (*failures, *error)).collect();
    assert_eq!(calls, [(1, true), (2, true)]);
    assert!(delays(&waits)[1] >= SECOND * 5, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_in_seconds_and_as_a_date_up_to_the_bound() {
    let date = "Date: Sun, 06 Nov 1994 12:00:00 GMT\r\nRetry-After: Sun, 06 Nov 1994 12:00:20 GMT";
    for (fields, least) in [
        ("Retry-After: 20", 20),
        (date, 20),
        ("Retry-After: 3600", 30),
        ("Retry-After: 99999999999999999999", 30),
        ("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", 30),
        ("Retry-After: soon", 0),
    ] {
        let answer = format!("HTTP/1.1 503 X\r\n{fields}\r\nContent-Length: 0\r\n\r\n");
        let acts = [Act::answer(Duration::ZERO, &answer), Act::open(Duration::ZERO)];
        let (mut connections, waits) = watched(&client(Memory::new(acts), |_| ()));
        let started = Instant::now();
        connections.next().await.unwrap();
        let (took, delay) = (started.elapsed(), delays(&waits)[0]);
        let least = SECOND * least;
        // Upon it comes the delay of a first failure.
        let bounds = least..=least + Duration::from_millis(500);
        assert!(bounds.contains(&delay), "{fields}: {delay:?}");
        assert!(took >= delay && took <= delay + Duration::from_millis(2), "{fields}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_error_of_max_failures_is_returned_and_not_kept() {
    let client = client(Memory::new([Act::Refuse]), |backoff| backoff.max_failures = Some(2));
    let (mut connections, waits) = watched(&client);
    let error = connections.next().await.unwrap_err();
    assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
    assert_eq!((connections.failures(), connections.last_error().is_none()), (2, true));
    assert_eq!(waits.lock().unwrap().len(), 1);
}
