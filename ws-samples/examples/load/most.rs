//! The largest number of connections that the machine can hold: `load --most 1000000`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::fleet::Fleet;
use crate::limits::Plan;
use crate::machine::Memory;
use crate::{Arguments, Failure};

/// Opens `wanted` connections, or as many as possible, and reports in Markdown what they cost.
pub(crate) fn run(wanted: usize, arguments: &Arguments) -> Result<(), Failure> {
    crate::end_after(TIME_LIMIT + Duration::from_secs(arguments.idle + arguments.seconds.unwrap_or(ECHOING)));
    let begin = Instant::now();
    let plan = Plan::new(wanted, arguments)?;
    println!("## {wanted} connections\n\n{}", plan.table);
    if let Some(limit) = &plan.limit {
        println!("Of {wanted} connections only {} are possible: {limit}.\n", plan.connections);
    }
    println!(
        "{} server processes share a port, of {} connections at most each; {} processes have the clients.\n",
        plan.servers, plan.capacity, plan.crowds
    );
    let mut fleet = Fleet::start(&plan, true, arguments)?;
    let before = fleet.memory();

    let opened = fleet.open()?;
    let count = fleet.connections as u64;
    if let Some(limit) = &opened.limit {
        println!(
            "Opening ended at {} connections of {wanted}: {limit}. The rest is measured with {count}.\n",
            opened.reached
        );
    }
    if count == 0 {
        return Err("no connection is open".into());
    }
    println!("| what | |\n|---|---|");
    row("connections", count);
    let a_second = opened.reached as f64 / opened.took.as_secs_f64();
    row(
        "opening",
        format!("{:.1?}, {a_second:.0} a second, {} handshakes tried again", opened.took, opened.retried),
    );
    memory("after opening", &before, &fleet, count);

    let (servers, crowds, busy, pings) = fleet.rest(Duration::from_secs(arguments.idle))?;
    let seconds = arguments.idle.max(1) as f64;
    row(
        &format!("processor at rest, over {} s", arguments.idle),
        format!(
            "servers {:.3} of a core, {:.2} µs a connection-second; {:.0} pings a second, each with its pong {:.1} µs; clients {:.3}, machine {:.3}",
            servers.as_secs_f64() / seconds,
            servers.as_secs_f64() * 1e6 / seconds / count as f64,
            pings as f64 / seconds,
            servers.as_secs_f64() * 1e6 / pings.max(1) as f64,
            crowds.as_secs_f64() / seconds,
            busy.as_secs_f64() / seconds,
        ),
    );
    memory("at rest", &before, &fleet, count);

    let echoing = Duration::from_secs(arguments.seconds.unwrap_or(ECHOING));
    let echoed = fleet.echo((count / 10).max(1), echoing)?;
    row(
        &format!("a random tenth echoes 64 bytes each second, {echoing:?}"),
        format!(
            "{} sent in {:.1?}, {} lost; p50 {:.1?}, p99 {:.1?}, longest {:.1?}; servers {:.1} µs a message; {} not sent, because earlier ones had not come back",
            echoed.sent,
            echoed.took,
            echoed.lost,
            echoed.times.within(0.5),
            echoed.times.within(0.99),
            echoed.times.longest(),
            echoed.processor.as_secs_f64() * 1e6 / echoed.sent.max(1) as f64,
            echoed.late,
        ),
    );
    let mut lost = echoed.lost;
    for number in 1..=BROADCASTS {
        let delivered = fleet.broadcast()?;
        lost += delivered.lost;
        row(
            &format!("broadcast {number}"),
            format!(
                "{} received, {} lost; {:.0?} from the first to the last, which is {:.2} µs a delivery; the first after {:.1?}; servers {:.1} µs a delivery",
                delivered.received,
                delivered.lost,
                delivered.spread,
                delivered.spread.as_secs_f64() * 1e6 / count as f64,
                delivered.first,
                delivered.processor.as_secs_f64() * 1e6 / delivered.received.max(1) as f64,
            ),
        );
    }
    memory("after that", &before, &fleet, count);
    let (connections_lost, why) = fleet.lost()?;
    let drained = fleet.drain()?;
    row(
        "shutdown",
        format!(
            "{:.1?}; {} closed, {} cut off; {} clients received Close 1001 and then the end",
            drained.took, drained.closed, drained.aborted, drained.said_goodbye
        ),
    );
    row("lost", format!("{connections_lost} connections {why}; {lost} messages"));
    println!("\nAll took {:.0?}.", begin.elapsed());
    if connections_lost + lost > 0 {
        return Err(format!("{connections_lost} connections and {lost} messages were lost").into());
    }
    if drained.said_goodbye != count {
        return Err(format!("{} of {count} clients were closed with 1001", drained.said_goodbye).into());
    }
    Ok(())
}

/// How long opening, broadcasts and the shutdown take at most, all together.
const TIME_LIMIT: Duration = Duration::from_secs(14 * 60);
/// How long clients echo, in seconds.
const ECHOING: u64 = 60;
const BROADCASTS: u32 = 3;

fn row(what: &str, figures: impl std::fmt::Display) {
    println!("| {what} | {figures} |");
}

/// Prints the memory of a connection since `before`.
fn memory(when: &str, before: &(u64, u64, Memory), fleet: &Fleet, count: u64) {
    let after = fleet.memory();
    let each = |before: u64, after: u64| (after as i64 - before as i64) / count as i64;
    let kernel = |memory: &Memory| memory.slab + memory.other + memory.buffers;
    row(
        &format!("bytes a connection, {when}"),
        format!(
            "server process {}, client process {}; kernel {} for both sides, of which half is the server's (objects {}, buffers {}); {} less available in all, {} MiB are left",
            each(before.0, after.0),
            each(before.1, after.1),
            each(kernel(&before.2), kernel(&after.2)),
            each(before.2.slab, after.2.slab),
            each(before.2.buffers, after.2.buffers),
            each(after.2.available, before.2.available),
            after.2.available >> 20,
        ),
    );
    let grown = caches(&before.2.caches, &after.2.caches, count);
    if !grown.is_empty() {
        row(&format!("kernel objects, bytes a connection, {when}"), grown);
    }
}

/// Returns the kinds of kernel objects that have grown by more than 32 bytes a connection.
fn caches(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>, count: u64) -> String {
    let grown = |(name, bytes): (&String, &u64)| {
        let more = bytes.saturating_sub(before.get(name).copied().unwrap_or_default()) / count;
        (more > 32).then(|| (more, name.clone()))
    };
    let mut grown: Vec<_> = after.iter().filter_map(grown).collect();
    grown.sort_unstable_by(|one, other| other.cmp(one));
    grown.iter().map(|(bytes, name)| format!("{name} {bytes}")).collect::<Vec<_>>().join(", ")
}
