//! Three servers publish at a steady rate while one of them is killed, NATS or Redis is stopped, and the network is cut.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::{Instant, sleep, sleep_until};
use ws_samples::failed;

use crate::backplane::{Bus, Url, free_port};
use crate::observer::{Live, Observer};
use crate::proxy::Proxy;

#[derive(Args)]
pub(crate) struct Options {
    /// Program to start and to stop: nats-server or redis-server, or a path to one
    #[arg(long, value_name = "PROGRAM", default_value = "nats-server")]
    program: String,
    /// Messages a second of each server
    #[arg(long, default_value_t = 100, value_name = "N")]
    rate: u32,
}

/// When what happens, in seconds after the beginning.
const KILLED: u64 = 4;
const STARTED: u64 = 6;
const STOPPED: u64 = 9;
const STOPPED_FOR: u64 = 10;
const CUT: u64 = 24;
const CUT_FOR: u64 = 8;
const END: u64 = 37;

/// What the servers have printed.
#[derive(Default)]
struct Printed {
    confirmed: HashSet<String>,
    failed: Vec<String>,
    /// The count of each publisher that has ended in order.
    published: HashMap<String, u64>,
    events: BTreeMap<&'static str, u64>,
}

pub(crate) async fn run(options: Options) -> ExitCode {
    match judge(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => failed("cluster judge", "something was lost, repeated or not reported"),
        Err(what) => failed("cluster judge", &what),
    }
}

async fn judge(options: &Options) -> Result<bool, String> {
    let mut bus = Bus::find(None, Some(options.program.clone())).await?;
    let proxy = Proxy::start(bus.url.place().to_owned()).await.map_err(|error| error.to_string())?;
    let url = bus.url.at(proxy.address);
    let printed = Arc::<Mutex<Printed>>::default();
    let mut addresses = Vec::new();
    for _ in 0..3 {
        addresses.push(SocketAddr::from(([127, 0, 0, 1], free_port().await?)));
    }
    // Clients first see an empty log: servers that do not publish yet.
    let mut servers = Vec::new();
    let begun = Instant::now() + Duration::from_secs(3);
    for (number, address) in (1..).zip(&addresses) {
        servers.push(server(number, *address, &url, options.rate, &printed, begun)?);
    }
    let mut observers = Vec::new();
    for address in &addresses {
        observers.push(Observer::start(*address).await?);
    }
    let at = |seconds: u64| sleep_until(begun + Duration::from_secs(seconds));
    let said = |what: &str| println!("{:5.1} s  {what}", begun.elapsed().as_secs_f32());
    said("three servers publish");
    at(KILLED).await;
    said("kill -9 of server 3");
    if let Some(server) = servers.last_mut() {
        crate::kill(server).await;
    }
    at(STARTED).await;
    said("server 3 starts again");
    if let (Some(last), Some(address)) = (servers.last_mut(), addresses.last()) {
        *last = server(3, *address, &url, options.rate, &printed, begun)?;
    }
    at(STOPPED).await;
    said(&format!("kill -9 of {}", options.program));
    bus.stop().await;
    at(STOPPED + STOPPED_FOR).await;
    said(&format!("{} starts again", options.program));
    bus.restart().await?;
    at(CUT).await;
    said("the network stops passing bytes");
    proxy.pass.send_replace(false);
    at(CUT + CUT_FOR).await;
    said("the network passes bytes again");
    proxy.pass.send_replace(true);
    at(END).await;
    said("the servers stop publishing");
    let caught_up = wait_until_all_is_there(&observers, &printed).await;
    said(if caught_up { "all is there" } else { "not all is there" });
    let printed = std::mem::take(&mut *printed.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(report(&observers, &printed) && caught_up)
}

/// A server, whose publishing ends at the end.
fn server(
    number: u16,
    address: SocketAddr,
    url: &Url,
    rate: u32,
    printed: &Arc<Mutex<Printed>>,
    begun: Instant,
) -> Result<Child, String> {
    let after = begun.saturating_duration_since(Instant::now());
    let time = (begun + Duration::from_secs(END)).saturating_duration_since(Instant::now() + after);
    let [rate, after, time] =
        [u64::from(rate), after.as_secs(), time.as_secs()].map(|number| number.to_string());
    let mut command =
        crate::server(number, address, url, &["--publish", &rate, "--after", &after, "--seconds", &time]);
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot start a server: {error}"))?;
    let Some(output) = child.stdout.take() else { return Err("a server has no output".into()) };
    let printed = Arc::clone(printed);
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            note(&mut printed.lock().unwrap_or_else(PoisonError::into_inner), &line);
        }
    });
    Ok(child)
}

fn note(printed: &mut Printed, line: &str) {
    match line.split_once(' ') {
        Some(("confirmed", name)) => {
            printed.confirmed.insert(name.to_owned());
        }
        Some(("failed", what)) => printed.failed.push(what.to_owned()),
        Some(("published", rest)) => {
            if let Some((publisher, count)) = rest.split_once(' ') {
                printed.published.insert(publisher.to_owned(), count.parse().unwrap_or(0));
            }
        }
        Some(("event", what)) => {
            for kind in ["Up", "Down", "Gap"] {
                if what.contains(kind) {
                    *printed.events.entry(kind).or_default() += 1;
                    if kind != "Gap" {
                        println!("           server {what}");
                    }
                    break;
                }
            }
        }
        _ => {}
    }
}

/// Waits until every publisher has ended, and each client has what was confirmed.
async fn wait_until_all_is_there(observers: &[Observer], printed: &Mutex<Printed>) -> bool {
    let mut quiet = 0;
    for _ in 0..150 {
        sleep(Duration::from_millis(100)).await;
        let (ended, confirmed) = {
            let printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            (printed.published.len() >= 3, printed.confirmed.len())
        };
        let behind = observers
            .iter()
            .any(|it| it.durable.lock().unwrap_or_else(PoisonError::into_inner).messages.len() < confirmed);
        quiet = if ended && !behind { quiet + 1 } else { 0 };
        // The heartbeats report the last gaps.
        if quiet >= 25 {
            return true;
        }
    }
    false
}

fn report(observers: &[Observer], printed: &Printed) -> bool {
    let mut good = true;
    let mut line = |name: &str, counts: &[u64], wanted: Option<u64>| {
        let fine = wanted.is_none_or(|wanted| counts.iter().all(|count| *count == wanted));
        good &= fine;
        let counts: Vec<_> = counts.iter().map(|count| format!("{count:>8}")).collect();
        println!("{name:<52}{}{}", counts.concat(), if fine { "" } else { "  WRONG" });
    };
    println!("{:<52}{:>8}{:>8}{:>8}", "seen by a client of server", 1, 2, 3);
    let mut columns: Vec<Vec<u64>> = Vec::new();
    let mut reference: Option<Vec<String>> = None;
    for observer in observers {
        let seen = observer.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<String> = seen.messages.iter().map(|(_, name)| name.clone()).collect();
        let set: HashSet<_> = names.iter().collect();
        let lost = printed.confirmed.iter().filter(|name| !set.contains(name)).count();
        let disorder = seen.messages.windows(2).filter(|pair| match pair {
            [(before, _), (after, _)] => before.epoch != after.epoch || after.offset != before.offset + 1,
            _ => false,
        });
        let same = reference.get_or_insert_with(|| names.clone()) == &names;
        let numbers = [
            names.len(),
            lost,
            names.len() - set.len(),
            disorder.count(),
            usize::try_from(seen.gaps).unwrap_or(0),
            usize::from(!same),
        ];
        columns.push(numbers.iter().map(|number| u64::try_from(*number).unwrap_or(0)).collect());
    }
    let row = |columns: &[Vec<u64>], place: usize| {
        columns.iter().filter_map(|column| column.get(place).copied()).collect::<Vec<_>>()
    };
    let confirmed = u64::try_from(printed.confirmed.len()).unwrap_or(0);
    println!("durable: {confirmed} confirmed, {} not", printed.failed.len());
    line("  messages", &row(&columns, 0), None);
    line("  confirmed and lost", &row(&columns, 1), Some(0));
    line("  twice", &row(&columns, 2), Some(0));
    line("  not at the next position", &row(&columns, 3), Some(0));
    line("  gaps", &row(&columns, 4), Some(0));
    line("  another order than the first client", &row(&columns, 5), Some(0));
    let live: Vec<Vec<u64>> = observers
        .iter()
        .map(|observer| {
            let mut seen = observer.live.lock().unwrap_or_else(PoisonError::into_inner);
            // What is missing at the end of a publisher that has ended in order.
            printed.published.iter().for_each(|(publisher, count)| seen.ended(publisher, *count));
            let Live { messages, gap_marks, missing, unreported, disorder, reconnects, .. } = *seen;
            vec![messages, gap_marks, missing, unreported, disorder, reconnects]
        })
        .collect();
    println!("live");
    line("  messages", &row(&live, 0), None);
    line("  gap marks", &row(&live, 1), None);
    line("  missing, with a gap mark at the place", &row(&live, 2), None);
    line("  missing without one", &row(&live, 3), Some(0));
    line("  twice, or in another order", &row(&live, 4), Some(0));
    line("  connections that the client made again", &row(&live, 5), None);
    let events: Vec<_> = printed.events.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    println!("events of the servers: {}", events.join(", "));
    good && confirmed > 0
}
