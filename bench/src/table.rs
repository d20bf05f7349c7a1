//! Markdown.

use std::collections::BTreeMap;

use crate::peers::Peer;
use crate::rig::Series;

/// A table of loads by implementations, and of our ratios.
#[derive(Default)]
pub struct Table {
    rows: Vec<(String, Vec<Series>)>,
}

impl Table {
    pub fn push(&mut self, name: &str, series: Vec<Series>) {
        eprintln!("  {name}: done");
        self.rows.push((name.to_owned(), series));
    }

    /// Prints it, each figure made by `show` of (median nanoseconds, row index).
    pub fn print(&self, show: impl Fn(f64, usize) -> String) {
        let peers: Vec<Peer> = Peer::ALL
            .into_iter()
            .filter(|peer| self.rows.iter().any(|(_, row)| row.iter().any(|series| series.peer == *peer)))
            .collect();
        let floor = peers.iter().any(|peer| peer.is_floor());
        print!("| load |");
        for peer in &peers {
            print!(" {} |", peer.name());
        }
        print!(" ours ÷ best peer |");
        println!("{}", if floor { " ours ÷ least WebSocket | spread |" } else { " spread |" });
        println!("|---|{}", "---:|".repeat(peers.len() + 2 + usize::from(floor)));
        for (index, (name, row)) in self.rows.iter().enumerate() {
            print!("| {name} |");
            let by_peer: BTreeMap<&str, &Series> =
                row.iter().map(|series| (series.peer.name(), series)).collect();
            for peer in &peers {
                match by_peer.get(peer.name()) {
                    Some(series) => print!(" {} |", show(series.median(), index)),
                    None => print!(" – |"),
                }
            }
            let ours = row.iter().find(|series| series.peer == Peer::Ours);
            let best = row
                .iter()
                .filter(|series| !series.peer.is_ours() && !series.peer.is_floor())
                .min_by(|a, b| a.median().total_cmp(&b.median()));
            match (ours, best) {
                (Some(ours), Some(best)) => print!(" {:.2} ({}) |", ours.ratio(best), best.peer.argument()),
                _ => print!(" – |"),
            }
            if floor {
                let least = row.iter().find(|series| series.peer == Peer::LeastWebsocket);
                match (ours, least) {
                    (Some(ours), Some(least)) => print!(" {:.2} |", ours.ratio(least)),
                    _ => print!(" – |"),
                }
            }
            println!(" ±{:.0} % |", 100.0 * row.iter().map(Series::spread).fold(0.0, f64::max));
        }
        println!();
    }
}
