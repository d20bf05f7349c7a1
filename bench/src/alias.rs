//! Copies to 8 bytes behind the source modulo a page: where `rep movsb`, which glibc before 2.39 copies with, takes 25 to 45 times as
//! long on AMD's Zen 3. The addresses are chosen, so that this is not a matter of luck.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Buf;
use ws_core::{Config, Connection, Event};

use crate::frames::{TEXT, frame, text};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::Series;
use crate::table::Table;

pub const TITLE: &str = "Alias trap";
const SIZE: usize = 16 << 10;
const PAGE: usize = 4096;
/// How far behind the source, modulo a page, a destination is: in the trap, and where no processor minds.
const PLACES: [(&str, usize); 2] = [("in the trap", 8), ("elsewhere", 1032)];

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new(TITLE, "ns for 16 KiB");
    if PLACES.iter().any(|(place, _)| plan.wants_load(&copy_name(place))) {
        let memcpy = measure(plan, |behind| copy(behind, |to, from| to.extend_from_slice(from)))?;
        let ours = measure(plan, |behind| {
            copy(behind, |to, from| {
                for piece in ws_core::copy::pieces(from, to.as_ptr()) {
                    to.extend_from_slice(piece);
                }
            })
        })?;
        for ((place, _), (memcpy, ours)) in PLACES.iter().zip(memcpy.into_iter().zip(ours)) {
            let memcpy = Series { peer: Peer::Memcpy, figures: memcpy };
            table.push(&copy_name(place), vec![memcpy, Series { peer: Peer::Ours, figures: ours }]);
        }
    }
    if PLACES.iter().any(|(place, _)| plan.wants_load(&echo_name(place))) {
        for ((place, _), figures) in PLACES.iter().zip(measure(plan, echo)?) {
            table.push(&echo_name(place), vec![Series { peer: Peer::Ours, figures }]);
        }
    }
    report.add(
        table,
        "A copy whose destination is 8 bytes behind its source modulo a page, and 1,032 bytes, in turn; ours by `ws_core::copy`. The echo is \
         that of a `Connection`, from a place that is chosen for where it copies to.",
    );
    Ok(())
}

pub fn copy_name(place: &str) -> String {
    format!("copy, {place}")
}

pub fn echo_name(place: &str) -> String {
    format!("echo of text, {place}")
}

/// The figures of all rounds at each of the places, which take turns.
fn measure(plan: &Plan, turn: impl Fn(usize) -> Result<f64>) -> Result<[Vec<f64>; 2]> {
    let mut figures = [const { Vec::new() }; 2];
    for _ in 0..plan.rounds.max(3) {
        for ((_, behind), figures) in PLACES.iter().zip(&mut figures) {
            figures.push(turn(*behind)?);
        }
    }
    Ok(figures)
}

/// Nanoseconds for each copy into a vector whose place is chosen.
fn copy(behind: usize, copy: impl Fn(&mut Vec<u8>, &[u8])) -> Result<f64> {
    // The vector stays where it is, and so the source is what moves.
    let mut to: Vec<u8> = Vec::with_capacity(SIZE);
    let room = vec![b'x'; SIZE + PAGE];
    let start = to.as_ptr().addr().wrapping_sub(behind).wrapping_sub(room.as_ptr().addr()) % PAGE;
    let from = &room[start..][..SIZE];
    ensure!(to.as_ptr().addr().wrapping_sub(from.as_ptr().addr()) % PAGE == behind, "a wrong place");
    let begin = Instant::now();
    for _ in 0..TIMES {
        to.clear();
        copy(&mut to, black_box(from));
        black_box(&to);
    }
    Ok(begin.elapsed().as_nanos() as f64 / TIMES as f64)
}

/// Nanoseconds for each echo by a connection that copies from a place that is chosen.
fn echo(behind: usize) -> Result<f64> {
    let mut connection = Connection::server(Arc::new(Config::server()));
    connection.lend_buffer(Vec::with_capacity(4 * SIZE));
    let frame = frame(TEXT, &text(SIZE));
    let mut room = vec![0; frame.len() + PAGE];
    // Once, to see where it copies to; the answer's header is shorter by the key.
    let to = answer(&mut connection, &mut frame.clone())? + ANSWER_HEADER;
    let payload = room.as_ptr().addr() + MASKED_HEADER;
    let start = to.wrapping_sub(behind).wrapping_sub(payload) % PAGE;
    let mut elapsed = 0;
    for _ in 0..TIMES {
        let place = &mut room[start..][..frame.len()];
        place.copy_from_slice(&frame);
        let from = place.as_ptr().addr() + MASKED_HEADER;
        let begin = Instant::now();
        let to = answer(&mut connection, place)? + ANSWER_HEADER;
        elapsed += begin.elapsed().as_nanos();
        ensure!(to.wrapping_sub(from) % PAGE == behind, "the connection copies to another place");
    }
    Ok(elapsed as f64 / TIMES as f64)
}

/// Has a frame echoed; returns where its answer begins.
fn answer(connection: &mut Connection, frame: &mut [u8]) -> Result<usize> {
    let mut input = black_box(frame);
    while let Some(event) = connection.receive(&mut input)? {
        if let Event::Text(text) = event {
            connection.send_text(&text)?;
        }
    }
    let mut output = connection.output();
    let (start, length) = (output.chunk().as_ptr().addr(), output.chunk().len());
    output.advance(length);
    Ok(start)
}

const TIMES: u32 = 2_000;
const MASKED_HEADER: usize = 8;
const ANSWER_HEADER: usize = 4;
