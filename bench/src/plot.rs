//! A table as a picture: a line for each load, on it a dot for each implementation, at its cost beside ours.

use std::fmt::Write as _;

use crate::peer::Peer;
use crate::table::Table;

/// SVG. The scale is logarithmic; ours stands at 1, what is cheaper to the left of it. Of a table without ours, none.
pub fn dots(table: &Table) -> Option<String> {
    let peers = table.peers();
    let own = table.reference();
    if peers.len() < 2 || !peers.contains(&own) {
        return None;
    }
    let legend = TOP + table.rows.len() * STEP + 34;
    let height = legend + peers.len().div_ceil(COLUMNS) * STEP + 4;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text(
        &mut svg,
        8,
        20,
        "start",
        &format!("{}: {}, ÷ ours, {}; left is better", table.title, table.unit, own.way()),
    );
    let bottom = TOP + table.rows.len() * STEP;
    for tick in TICKS {
        let x = place(tick);
        let stroke = if tick == 1.0 { "#1c7c54" } else { "#ddd" };
        let _ =
            writeln!(svg, "<line x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"{stroke}\"/>");
        text(&mut svg, x, bottom + 16, "middle", &format!("{tick}×"));
    }
    for (index, row) in table.rows.iter().enumerate() {
        let y = TOP + index * STEP + STEP / 2;
        text(&mut svg, LEFT - 16, y + 4, "end", &row.load);
        let Some(ours) = row.of(own) else { continue };
        // Ours last, on top of the others.
        for series in row.series.iter().rev().filter(|series| series.peer != own).chain([ours]) {
            dot(&mut svg, place(series.median() / ours.median()), y, series.peer);
        }
    }
    for (index, &peer) in peers.iter().enumerate() {
        let (x, y) = (16 + index % COLUMNS * (WIDTH / COLUMNS), legend + index / COLUMNS * STEP);
        dot(&mut svg, x, y, peer);
        text(&mut svg, x + 10, y + 4, "start", &peer.name().replace('*', ""));
    }
    Some(svg + "</svg>\n")
}

fn text(svg: &mut String, x: usize, y: usize, anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// Floors are rings.
fn dot(svg: &mut String, x: usize, y: usize, peer: Peer) {
    let color = peer.color();
    let (fill, radius) = if peer.is_floor() { ("#fff", 4) } else { (color, 5) };
    let _ = writeln!(
        svg,
        "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\" stroke=\"{color}\" stroke-width=\"2\">\
         <title>{}</title></circle>",
        peer.name().replace('*', "")
    );
}

/// Where a ratio stands; what is beyond the scale stands at its end.
fn place(ratio: f64) -> usize {
    let part = (ratio / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + (part.clamp(0.0, 1.0) * (WIDTH - LEFT - 24) as f64) as usize
}

const WIDTH: usize = 860;
const TOP: usize = 34;
const STEP: usize = 22;
/// Where the scale begins.
const LEFT: usize = 330;
/// Of the legend.
const COLUMNS: usize = 4;
const LEAST: f64 = 0.25;
const MOST: f64 = 20.0;
const TICKS: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];
