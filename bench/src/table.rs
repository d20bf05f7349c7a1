//! Loads by implementations.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::ValueEnum as _;

use crate::peer::Peer;
use crate::rig::Series;

/// What the implementations did under several loads. Less is better in all of them.
pub struct Table {
    pub title: &'static str,
    /// What a figure is.
    pub unit: &'static str,
    pub rows: Vec<Row>,
}

/// One load.
pub struct Row {
    pub load: String,
    pub series: Vec<Series>,
}

impl Table {
    pub fn new(title: &'static str, unit: &'static str) -> Self {
        Self { title, unit, rows: Vec::new() }
    }

    pub fn push(&mut self, load: &str, series: Vec<Series>) {
        if series.is_empty() {
            return;
        }
        eprintln!("  {load}: done");
        self.rows.push(Row { load: load.to_owned(), series });
    }

    /// The implementations in it, in their usual order.
    pub fn peers(&self) -> Vec<Peer> {
        Peer::value_variants()
            .iter()
            .copied()
            .filter(|&peer| self.rows.iter().any(|row| row.of(peer).is_some()))
            .collect()
    }

    /// Ours, for ratios: the way that a goal is about.
    pub fn reference(&self) -> Peer {
        let peers = self.peers();
        let order = [Peer::Server, Peer::Ours, Peer::OursOwned];
        order.into_iter().find(|peer| peers.contains(peer)).unwrap_or(Peer::Ours)
    }

    /// The row with this name.
    pub fn row(&self, load: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.load == load)
    }

    /// One column for each implementation, as Markdown.
    pub fn full(&self) -> String {
        let peers = self.peers();
        let names = peers.iter().map(|peer| peer.name().to_owned());
        let rows = self.rows.iter().map(|row| {
            let figures = peers.iter().map(|&peer| row.figure(peer));
            [row.load.clone()].into_iter().chain(figures).chain([row.spread()]).collect()
        });
        markdown(["load".to_owned()].into_iter().chain(names).chain(["spread".to_owned()]), rows)
    }

    /// Ours beside the floor, the best Rust peer and uWebSockets, as Markdown.
    pub fn short(&self) -> String {
        let peers: BTreeSet<Peer> = self.peers().into_iter().collect();
        let ours: Vec<Peer> = peers.iter().copied().filter(|peer| peer.is_ours()).collect();
        let floor = peers.contains(&Peer::LeastWebsocket);
        let anchor = peers.contains(&Peer::Uwebsockets);
        let mut head = vec!["load".to_owned()];
        head.extend(floor.then(|| Peer::LeastWebsocket.name().to_owned()));
        head.extend(ours.iter().map(|peer| peer.name().to_owned()));
        head.push("best Rust peer".to_owned());
        head.extend(anchor.then(|| Peer::Uwebsockets.name().to_owned()));
        head.extend(ours.iter().map(|peer| format!("{} ÷ best Rust peer", peer.way())));
        let own = self.reference();
        head.extend(floor.then(|| format!("{} ÷ least", own.way())));
        let http2 = peers.contains(&Peer::ServerHttp2);
        head.extend(http2.then(|| format!("HTTP/2 ÷ {}", Peer::FloorHttp2.name())));
        head.extend(http2.then(|| "HTTP/2 ÷ HTTP/1.1".to_owned()));
        head.extend(anchor.then(|| format!("{} ÷ uWebSockets", own.way())));
        let rows = self.rows.iter().map(|row| {
            let best = row.best();
            let mut cells = vec![row.load.clone()];
            cells.extend(floor.then(|| row.figure(Peer::LeastWebsocket)));
            cells.extend(ours.iter().map(|&peer| row.figure(peer)));
            cells.push(
                best.map_or_else(none, |best| format!("{} {}", figure(best.median()), best.peer.name())),
            );
            cells.extend(anchor.then(|| row.figure(Peer::Uwebsockets)));
            cells.extend(ours.iter().map(|&peer| row.ratio(peer, best.map(|best| best.peer))));
            cells.extend(floor.then(|| row.ratio(own, Some(Peer::LeastWebsocket))));
            cells.extend(http2.then(|| row.ratio(Peer::ServerHttp2, Some(Peer::FloorHttp2))));
            cells.extend(http2.then(|| row.ratio(Peer::ServerHttp2, Some(Peer::Server))));
            cells.extend(anchor.then(|| row.ratio(own, Some(Peer::Uwebsockets))));
            cells
        });
        markdown(head.into_iter(), rows)
    }
}

impl Row {
    pub fn of(&self, peer: Peer) -> Option<&Series> {
        self.series.iter().find(|series| series.peer == peer)
    }

    /// The cheapest of those that could be ours: Rust, and a WebSocket.
    pub fn best(&self) -> Option<&Series> {
        let is_rival = |peer: Peer| peer.is_rust() && !peer.is_ours() && !peer.is_floor();
        let peers = self.series.iter().filter(|series| is_rival(series.peer));
        peers.min_by(|a, b| a.median().total_cmp(&b.median()))
    }

    /// The cheapest of all that are not ours.
    pub fn best_of_all(&self) -> Option<&Series> {
        let is_rival = |peer: Peer| !peer.is_ours() && !peer.is_floor();
        let peers = self.series.iter().filter(|series| is_rival(series.peer));
        peers.min_by(|a, b| a.median().total_cmp(&b.median()))
    }

    fn figure(&self, peer: Peer) -> String {
        self.of(peer).map_or_else(none, |series| figure(series.median()))
    }

    fn ratio(&self, own: Peer, other: Option<Peer>) -> String {
        match (self.of(own), other.and_then(|other| self.of(other))) {
            (Some(own), Some(other)) if own.ratio(other).is_finite() => format!("{:.2}", own.ratio(other)),
            _ => none(),
        }
    }

    /// The widest of all, where there was more than one round.
    fn spread(&self) -> String {
        if self.series.iter().all(|series| series.figures.len() < 2) {
            return none();
        }
        // Of what is zero in most rounds there is none.
        let spreads = self.series.iter().map(Series::spread).filter(|spread| spread.is_finite());
        format!("±{:.0} %", 100.0 * spreads.fold(0.0, f64::max))
    }
}

fn markdown(head: impl Iterator<Item = String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = head.collect();
    let mut text = format!("| {} |\n|---|{}\n", head.join(" | "), "---:|".repeat(head.len() - 1));
    for cells in rows {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// Three digits that mean something.
pub fn figure(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn none() -> String {
    "–".to_owned()
}
