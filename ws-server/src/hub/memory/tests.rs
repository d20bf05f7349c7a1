//! Which WebSockets give way, on a clock that stands still until it is moved.

use tokio::io::{DuplexStream, duplex};
use tokio::time::advance;
use ws_core::{Config, MemoryUsage, Role};
use ws_tokio::WebSocket;

use super::*;

/// A WebSocket, whose closer a share has.
fn websocket() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(4096);
    (WebSocket::from_raw(near, Role::Server, Config::server()).unwrap(), far)
}

fn report(held: usize, unfinished: usize) -> Report {
    let mut report = Report::default();
    report.memory = MemoryUsage::default();
    report.memory.assembled = held;
    report.unfinished = unfinished;
    report
}

trait Seen {
    fn see(&self, held: usize, unfinished: usize) -> bool;
}

impl Seen for Share {
    fn see(&self, held: usize, unfinished: usize) -> bool {
        self.observe(&report(held, unfinished), &websocket().0.closer())
    }
}

fn share(memory: &Arc<Memory>) -> Box<Share> {
    Box::new(Share::new(memory, 0))
}

fn leaving(memory: &Memory) -> Vec<Class> {
    memory.ranks().leaving()
}

#[test]
fn what_a_connection_holds_counts_in_steps_and_is_returned_when_its_share_is_dropped() {
    let memory = Memory::new(MEBIBYTE);
    let (connection, first, second) = (Cost::new(&memory, 100), share(&memory), share(&memory));
    assert_eq!(memory.used(), 100);
    assert!(!first.see(1, 1));
    assert_eq!(memory.used(), 100 + STEP);
    assert!(!second.see(STEP + 1, STEP + 1));
    assert_eq!(memory.used(), 100 + 3 * STEP);
    second.see(STEP + 1, 0);
    drop((connection, first));
    assert_eq!(memory.used(), 2 * STEP);
    second.see(500_000, 500_000);
    drop(second);
    let ranks = memory.ranks();
    assert_eq!((memory.used(), ranks.could_return(), ranks.sizes()), (0, 0, [0; 4]));
}

#[test]
fn unfinished_input_costs_half_as_much_again_as_it_holds_and_anything_else_no_more() {
    let memory = Memory::new(MEBIBYTE);
    let share = share(&memory);
    for (held, unfinished, used) in [
        (400 << 10, 400 << 10, 600 << 10),
        (400 << 10, 208 << 10, 504 << 10),
        (400 << 10, 0, 400 << 10),
        (STEP, STEP - 1, STEP),
    ] {
        share.see(held, unfinished);
        assert_eq!(memory.used(), used, "{unfinished} of {held}");
    }
}

#[test]
fn those_with_the_most_unfinished_input_give_way_first_and_no_more_of_them_than_needed() {
    let memory = Memory::new(MEBIBYTE);
    // With what is lost beside: 12, 96, 384, 48 and 372.
    let shares: Vec<_> = [8, 64, 256, 32, 248].map(|_| share(&memory)).into();
    for (share, kibibytes) in shares.iter().zip([8, 64, 256, 32, 248]) {
        assert!(!share.see(kibibytes << 10, kibibytes << 10));
    }
    assert_eq!(leaving(&memory), []);
    // Of the class of the largest, the one that has been in it for longest.
    let last = share(&memory);
    last.see(120 << 10, 0);
    assert_eq!((leaving(&memory), memory.ranks().returning()), (vec![7], 384 << 10));
    // What is expected of it is no reason for more to give way.
    last.see(300 << 10, 0);
    assert_eq!(leaving(&memory).len(), 1);
    // It has received the rest of its message, and is as others are.
    shares[2].see(0, 0);
    assert_eq!((leaving(&memory), memory.ranks().returning()), (vec![], 0));
    assert_eq!(memory.used(), (12 + 96 + 48 + 372 + 300) << 10);
}

#[test]
fn far_beyond_the_limit_a_connection_as_large_as_one_that_was_asked_to_gives_way_at_once() {
    let memory = Memory::new(MEBIBYTE);
    let shares: Vec<_> = (0..20).map(|_| share(&memory)).collect();
    let at_once: Vec<_> = shares.iter().map(|share| share.see(66_668, 66_668)).collect();
    let stay = at_once.iter().take_while(|at_once| !**at_once).count();
    // Others have been asked when the limit was passed, and have not had their turn.
    assert_eq!(stay, 11, "{at_once:?}");
    assert!(at_once[stay..].iter().all(|at_once| *at_once));
    // A small one stays.
    assert!(!share(&memory).see(10_000, 10_000));
    assert!(!share(&memory).see(100_000, 0));
}

#[test]
fn a_request_that_is_refused_has_those_give_way_that_hold_much_and_none_if_that_makes_no_room() {
    let memory = Memory::new(MEBIBYTE);
    let (large, small) = (share(&memory), share(&memory));
    large.see(200 << 10, 200 << 10);
    assert!(!memory.is_short());
    let idle = Cost::new(&memory, 720 << 10);
    assert!(memory.is_short());
    assert_eq!(leaving(&memory).len(), 1);
    drop(large);
    let more = Cost::new(&memory, 200 << 10);
    small.see(20 << 10, 20 << 10);
    assert!(memory.is_short());
    assert_eq!(leaving(&memory).len(), 0);
    drop((idle, more));
    assert!(!memory.is_short());
}

/// A report of output alone, of which some has been written since the last.
fn output(bytes: usize, has_written: bool) -> Report {
    let mut report = Report::default();
    report.memory.queued = bytes;
    report.has_written = has_written;
    report
}

#[tokio::test(start_paused = true)]
async fn output_that_stands_still_gives_way_after_a_time_the_most_first_and_output_that_moves_stays() {
    let memory = Memory::new(MEBIBYTE);
    let closer = websocket().0.closer();
    let see = |share: &Share, kibibytes: usize, has_written| {
        assert!(!share.observe(&output(kibibytes << 10, has_written), &closer));
    };
    let (reads, small, large) = (share(&memory), share(&memory), share(&memory));
    see(&reads, 500, true);
    see(&small, 100, true);
    see(&large, 350, true);
    assert!(memory.is_short(), "seven eighths are used");
    for _ in 0..9 {
        advance(Duration::from_millis(500)).await;
        see(&reads, 500, true);
        // It adds to what waits, but nothing is written.
        see(&small, 110, false);
        assert!(memory.is_short() && leaving(&memory).is_empty(), "they may read yet");
    }
    advance(Duration::from_millis(501)).await;
    assert!(memory.is_short());
    assert_eq!(leaving(&memory), [7], "the largest of those that stand still");
    assert_eq!(memory.ranks().returning(), 350 << 10);
    // It has begun to read, and stays.
    see(&large, 340, true);
    assert_eq!((leaving(&memory), memory.ranks().returning()), (vec![], 0));
    assert!(memory.is_short());
    assert_eq!(leaving(&memory), [], "the small one would make too little room");
    drop((reads, small, large));
    let ranks = memory.ranks();
    assert_eq!((memory.used(), ranks.returning(), ranks.sizes()), (0, 0, [0; 4]));
}

#[tokio::test(start_paused = true)]
async fn far_beyond_the_limit_output_gives_way_that_has_stood_still_for_a_second() {
    let memory = Memory::new(MEBIBYTE);
    let closer = websocket().0.closer();
    let shares: Vec<_> = (0..20).map(|_| share(&memory)).collect();
    for share in &shares {
        share.observe(&output(100 << 10, true), &closer);
    }
    advance(Duration::from_millis(999)).await;
    assert!(memory.is_short());
    assert_eq!(leaving(&memory), []);
    shares[3].observe(&output(100 << 10, true), &closer);
    advance(Duration::from_millis(2)).await;
    assert!(memory.is_short());
    // Until three quarters of the limit are left.
    assert_eq!(leaving(&memory).len(), 13);
    assert_eq!(memory.ranks().sizes(), [20, 6, 1, 13]);
}

#[tokio::test(start_paused = true)]
async fn unfinished_input_beside_output_that_moves_ranks_by_the_input_alone() {
    let memory = Memory::new(MEBIBYTE);
    let closer = websocket().0.closer();
    let (both, input) = (share(&memory), share(&memory));
    let mut report = output(500 << 10, true);
    report.unfinished = 4 << 10;
    both.observe(&report, &closer);
    input.see(200 << 10, 200 << 10);
    let _more = Cost::new(&memory, 250 << 10);
    assert_eq!(leaving(&memory), [7], "the one with more input");
    drop(input);
    advance(Duration::from_secs(6)).await;
    let _still_more = Cost::new(&memory, 300 << 10);
    assert_eq!((leaving(&memory), memory.ranks().returning()), (vec![7], 506 << 10));
}

const MEBIBYTE: usize = 1 << 20;
