//! The goals, beside what was measured.

use std::fmt::Write as _;

use crate::peer::Peer;
use crate::report::Report;
use crate::rig::Series;
use crate::table::{Row, figure};
use crate::{alias, bursts, clients, idle, neighbour, product, storm};

/// What is to be at most so much.
struct Goal {
    what: &'static str,
    at_most: f64,
    /// Each load that it is about.
    measured: Vec<Measured>,
}

struct Measured {
    load: String,
    value: f64,
    /// The least that it may be, within the spread.
    least: f64,
}

/// What ours is measured against.
#[derive(Clone, Copy)]
enum Against {
    Peer(Peer),
    BestRust,
    Best,
}

/// Every goal with its verdict, as Markdown.
pub fn table(report: &Report) -> String {
    let mut text = "| goal | at most | measured | |\n|---|---:|---:|---|\n".to_owned();
    for Goal { what, at_most, measured } in goals(report) {
        let (at_most, worst) = (figure(at_most), measured.iter().max_by(|a, b| a.value.total_cmp(&b.value)));
        let Some(worst) = worst else {
            let _ = writeln!(text, "| {what} | {at_most} | – | not measured |");
            continue;
        };
        let name = if measured.len() > 1 { format!(" ({})", worst.load) } else { String::new() };
        let verdict = verdict(&measured, at_most.parse().unwrap_or(f64::NAN));
        let _ = writeln!(text, "| {what} | {at_most} | {}{name} | {verdict} |", figure(worst.value));
    }
    text
}

fn verdict(measured: &[Measured], at_most: f64) -> String {
    let rounded = |value: f64| figure(value).parse().unwrap_or(value);
    let beyond: Vec<&Measured> = measured.iter().filter(|each| rounded(each.value) > at_most).collect();
    let missed: Vec<String> = beyond
        .iter()
        .filter(|each| rounded(each.least) > at_most)
        .map(|each| format!("{} {}", each.load, figure(each.value)))
        .collect();
    match (beyond.is_empty(), missed.is_empty()) {
        (true, _) => "met".to_owned(),
        (false, true) => "tied (within the spread)".to_owned(),
        _ if measured.len() == 1 => "**missed**".to_owned(),
        _ => format!("**missed**: {}", missed.join("; ")),
    }
}

fn goals(report: &Report) -> Vec<Goal> {
    let ratios = |title: &str, own: Peer, against: Against, wanted: &dyn Fn(&str) -> bool| {
        let rows = report.table(title).map_or(&[][..], |table| &table.rows);
        rows.iter()
            .filter(|row| wanted(&row.load))
            .filter_map(|row| ratio(row, own, against))
            .collect::<Vec<_>>()
    };
    let figures = |title: &str, own: Peer, wanted: &dyn Fn(&str) -> bool| {
        let rows = report.table(title).map_or(&[][..], |table| &table.rows);
        let of = |row: &Row| row.of(own).map(|series| absolute(&row.load, series));
        rows.iter().filter(|row| wanted(&row.load)).filter_map(of).collect::<Vec<_>>()
    };
    let all = |_: &str| true;
    let [user, _] = product::TITLES;
    let uws = Against::Peer(Peer::Uwebsockets);
    let goal = |what, at_most, measured| Goal { what, at_most, measured };
    let trap = |name: fn(&str) -> String, peer| trap(report, name, peer);
    vec![
        goal(
            "README's echo, 20 B, 16 in flight: ÷ uWebSockets",
            1.35,
            ratios(user, Peer::Server, uws, &|load| load.contains("16 in flight")),
        ),
        goal(
            "README's echo, every load: ÷ best README of a Rust peer",
            1.0,
            ratios(user, Peer::Server, Against::BestRust, &all),
        ),
        goal(
            "bytes of an idle connection of `Server`",
            1600.0,
            figures(idle::PRODUCT, Peer::Server, &|load| load == "opened"),
        ),
        goal("the same over TLS, without rustls' own", 1700.0, tls_memory(report).into_iter().collect()),
        goal("handshake of `Server`: ÷ uWebSockets", 1.05, ratios("Handshakes", Peer::Server, uws, &all)),
        goal(
            "handshake of `Server`: ÷ best Rust peer",
            1.0,
            ratios("Handshakes", Peer::Server, Against::BestRust, &all),
        ),
        goal(
            "clients of a storm that are not served, plain and TLS",
            0.0,
            figures(storm::TITLE, Peer::Server, &|load| load.ends_with("not served")),
        ),
        goal(
            "16 KiB text: ÷ best peer",
            1.05,
            ratios(user, Peer::Server, Against::Best, &|load| load.contains("16 KiB text")),
        ),
        goal("16 KiB copied in the trap: ÷ elsewhere", 1.3, trap(alias::copy_name, Peer::Ours)),
        goal("16 KiB text echoed in the trap: ÷ elsewhere", 1.05, trap(alias::echo_name, Peer::Ours)),
        goal(
            "1 MiB text: ÷ best peer",
            1.05,
            ratios(user, Peer::Server, Against::Best, &|load| load.contains("1 MiB text")),
        ),
        goal("1 MiB text: page faults a message", 0.1, figures(product::FAULTS, Peer::Server, &all)),
        goal(
            "eight `publish().await` in a row to 2,000: ÷ uWebSockets",
            1.3,
            ratios(bursts::TITLE, Peer::Ours, uws, &|load| load == bursts::name(2000, 8)),
        ),
        goal(
            "ws-topics, eight publishes in a row: ÷ uWebSockets' topics",
            1.2,
            ratios(bursts::TITLE, Peer::Topics, uws, &|load| load.starts_with("8 in a row")),
        ),
        goal(
            "ws-topics, a publish to 200 and 2,000: ÷ `Broadcast`",
            1.1,
            ratios(bursts::TITLE, Peer::Topics, Against::Peer(Peer::Ours), &|load| {
                load.starts_with("one to")
            }),
        ),
        goal(
            "client: receive, every row: ÷ best peer",
            1.0,
            ratios(clients::TITLE, Peer::OursOwned, Against::Best, &|load| {
                load.starts_with("receive") && !load.contains("compressed")
            }),
        ),
        goal(
            "client: `send`, every row: ÷ best peer",
            1.0,
            ratios(clients::TITLE, Peer::OursOwned, Against::Best, &|load| load.starts_with("send")),
        ),
        goal(
            "client: compressed 1 KiB, server takeover: ÷ best peer",
            1.0,
            ratios(clients::TITLE, Peer::OursOwned, Against::Best, &|load| load.contains("compressed")),
        ),
        goal(
            "client: `feed` of 125 B: ÷ best peer",
            1.05,
            ratios(clients::TITLE, Peer::OursOwned, Against::Best, &|load| load.starts_with("feed 125 B")),
        ),
        goal(
            "neighbour of compressed 1 MiB: p50, µs",
            1000.0,
            figures(neighbour::TITLE, Peer::Server, &|load| load == neighbour::MEDIAN),
        ),
        goal(
            "ping-pong of small messages, lent: ÷ best of all",
            1.0,
            ratios("Echo", Peer::Ours, Against::Best, &|load| {
                load.starts_with("ping-pong")
                    && [" 20 B ", " 125 B ", " 1 KiB "].iter().any(|size| load.contains(size))
            }),
        ),
        goal("broadcast: ÷ best of all", 1.0, ratios("Broadcast", Peer::Ours, Against::Best, &all)),
        goal(
            "pipelined `for_each`: ÷ best of all",
            1.0,
            ratios("Echo", Peer::Ours, Against::Best, &|load| load.starts_with("pipelined")),
        ),
    ]
}

fn ratio(row: &Row, own: Peer, against: Against) -> Option<Measured> {
    let ours = row.of(own)?;
    let other = match against {
        Against::Peer(peer) => row.of(peer)?,
        Against::BestRust => row.best()?,
        Against::Best => row.best_of_all()?,
    };
    Some(between(&row.load, ours, other))
}

fn between(load: &str, ours: &Series, other: &Series) -> Measured {
    let value = ours.ratio(other);
    let least = value * (1.0 - ours.spread().max(other.spread()));
    Measured { load: load.to_owned(), value, least }
}

fn absolute(load: &str, series: &Series) -> Measured {
    let value = series.median();
    let spread = series.spread();
    Measured {
        load: load.to_owned(),
        value,
        least: if spread.is_finite() { value * (1.0 - spread) } else { value },
    }
}

/// A connection over TLS without the session of rustls.
fn tls_memory(report: &Report) -> Option<Measured> {
    let row = report.table(idle::PRODUCT)?.row("opened, TLS")?;
    let value = row.of(Peer::Server)?.median() - row.of(Peer::Rustls)?.median();
    Some(Measured { load: row.load.clone(), value, least: value })
}

fn trap(report: &Report, name: fn(&str) -> String, peer: Peer) -> Vec<Measured> {
    let measured = || {
        let table = report.table(alias::TITLE)?;
        let of = |place| table.row(&name(place))?.of(peer);
        Some(between("in the trap", of("in the trap")?, of("elsewhere")?))
    };
    measured().into_iter().collect()
}

/// The three sentences of the project's README.
pub fn summary(report: &Report) -> String {
    let [user, _] = product::TITLES;
    let (Some(product), Some(memory)) = (report.table(user), report.table(idle::PRODUCT)) else {
        return String::new();
    };
    let mut ratios: Vec<Measured> =
        product.rows.iter().filter_map(|row| ratio(row, Peer::Server, Against::BestRust)).collect();
    ratios.sort_by(|a, b| a.value.total_cmp(&b.value));
    let (Some(least), Some(most)) = (ratios.first(), ratios.last()) else { return String::new() };
    let pipelined = product.rows.iter().find(|row| row.load.contains("in flight"));
    let pipelined = pipelined.and_then(|row| ratio(row, Peer::Server, Against::Peer(Peer::Uwebsockets)));
    let opened = memory.row("opened");
    let bytes = opened.and_then(|row| row.of(Peer::Server)).map(Series::median);
    let next = opened.and_then(Row::best);
    let mut text = format!(
        "As the READMEs have it, an echo by `Server` took {} ({}) to {} ({}) times the CPU time of the best of the other Rust \
         libraries",
        figure(least.value),
        least.load,
        figure(most.value),
        most.load
    );
    if let Some(pipelined) = pipelined {
        let _ = write!(
            text,
            ", and {} times that of uWebSockets with 16 messages in flight",
            figure(pipelined.value)
        );
    }
    if let (Some(bytes), Some(next)) = (bytes, next) {
        let _ = write!(
            text,
            ". An idle connection took {bytes:.0} bytes of the server's memory, with {} {:.0}",
            next.peer.name(),
            next.median()
        );
    }
    format!("{text}. The chart is `product.svg`.\n")
}
