//! What a message, being idle and a broadcast cost with more and more connections: `load --growth`.

use std::time::Duration;

use crate::fleet::Fleet;
use crate::limits::Plan;
use crate::{Arguments, Failure};

/// Prints a table of Markdown with a row for each number of connections and handler.
pub(crate) fn run(counts: &[usize], arguments: &Arguments) -> Result<(), Failure> {
    let echoing = Duration::from_secs(arguments.seconds.unwrap_or(ECHOING));
    let idle = Duration::from_secs(arguments.idle.min(IDLE));
    crate::end_after((TIME_LIMIT + 2 * (SETTLING + idle + echoing)) * u32::try_from(counts.len())?);
    println!(
        "Processor time is that of the server processes, which contains what the system does for them. Messages: {MESSAGES} a \
         second from random clients for {echoing:?}. Idle: {idle:?} with keepalive.\n"
    );
    println!(
        "| connections | processes | handler | bytes a connection | µs a message | p50, p99 | µs a connection-second of being idle | \
         µs of a ping and pong | µs a delivery of a broadcast | µs from the first to the last a delivery | lost |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    );
    let mut lost = 0;
    for (count, members) in counts.iter().flat_map(|count| [(*count, false), (*count, true)]) {
        lost += measure(count, members, (idle, echoing), arguments)?;
    }
    match lost {
        0 => Ok(()),
        lost => Err(format!("{lost} connections and messages were lost").into()),
    }
}

/// Prints the row for a number of connections and a handler, and returns how many connections and messages were lost.
fn measure(
    count: usize,
    members: bool,
    (idle, echoing): (Duration, Duration),
    arguments: &Arguments,
) -> Result<u64, Failure> {
    let plan = Plan::new(count, arguments)?;
    let mut fleet = Fleet::start(&plan, members, arguments)?;
    let before = fleet.memory().0;
    let opened = fleet.open()?;
    if let Some(limit) = opened.limit.or(plan.limit) {
        return Err(format!("{count} connections are too many: {limit}").into());
    }
    // By then the first pings have been sent.
    fleet.rest(SETTLING.min(idle))?;
    let (rested, _, _, pings) = fleet.rest(idle)?;
    let bytes = fleet.memory().0.saturating_sub(before) / count as u64;
    let echoed = fleet.echo(MESSAGES, echoing)?;

    let micros = |time: Duration, times: u64| time.as_secs_f64() * 1e6 / times.max(1) as f64;
    let mut lost = echoed.lost;
    let mut broadcast = "| |".to_owned();
    if members {
        let (mut processor, mut spread, mut received) = (Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..(DELIVERIES / count).clamp(3, 100) {
            let delivered = fleet.broadcast()?;
            (processor, spread) = (processor + delivered.processor, spread + delivered.spread);
            (received, lost) = (received + delivered.received, lost + delivered.lost);
        }
        broadcast = format!("{:.2} | {:.2} |", micros(processor, received), micros(spread, received));
    }
    let (connections_lost, why) = fleet.lost()?;
    lost += connections_lost;
    println!(
        "| {count} | {} | {} | {bytes} | {:.2} | {:.2?}, {:.2?} | {:.3} | {:.1} | {broadcast} {lost} {why} |",
        plan.servers,
        if members { "member of a broadcast" } else { "README's echo" },
        micros(echoed.processor, echoed.sent),
        echoed.times.within(0.5),
        echoed.times.within(0.99),
        micros(rested, count as u64) / idle.as_secs_f64(),
        micros(rested, pings),
    );
    let drained = fleet.drain()?;
    Ok(lost + (count as u64).abs_diff(drained.said_goodbye))
}

/// Messages a second, for any number of connections.
const MESSAGES: u64 = 10_000;
/// How long clients echo, in seconds.
const ECHOING: u64 = 15;
/// Two intervals of keepalive, in seconds: each connection is pinged twice.
const IDLE: u64 = 40;
/// The first interval of keepalive, and a moment.
const SETTLING: Duration = Duration::from_secs(22);
/// Deliveries of broadcasts that are measured, about.
const DELIVERIES: usize = 200_000;
/// How long all else takes at most for one number of connections.
const TIME_LIMIT: Duration = Duration::from_secs(5 * 60);
