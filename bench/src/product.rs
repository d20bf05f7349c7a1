//! Whole servers by the lines of their READMEs, with their default options.

use anyhow::Result;

use crate::frames::{BINARY, TEXT};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::profile::Profile;
use crate::report::Report;
use crate::service::Service;
use crate::table::Table;
use crate::{echo, machine, rig};

/// Compiled as a user does, and as this program is.
pub const TITLES: [&str; 2] = ["Product", "Product with fat LTO"];

/// Of what the goal for large text says that there are none.
pub const FAULTS: &str = "Page faults";

pub fn run(plan: &Plan, both: bool, report: &mut Report) -> Result<()> {
    for (profile, title) in Profile::ALL.into_iter().zip(TITLES) {
        if profile == plan.profile || both {
            report.add(measure(profile, title, plan), NOTE);
        }
    }
    let load = echo::load(1 << 20, 4, 1, TEXT);
    let name = format!("page faults, {}", load.name);
    if plan.wants_load(&name) {
        let mut table = Table::new(FAULTS, "minor faults of the server a message");
        table.push(&name, rig::measure_by(machine::page_faults, &load, &services(plan.profile, plan), plan));
        report.add(table, "In steady state: a page that the process has again after it gave it back.");
    }
    Ok(())
}

fn measure(profile: Profile, title: &'static str, plan: &Plan) -> Table {
    let mut table = Table::new(title, "µs of server CPU a message");
    let one = |size, connections, first| echo::load(size, connections, 1, first);
    let loads = [
        one(20, 64, BINARY),
        echo::load(20, 16, 16, BINARY),
        one(125, 64, TEXT),
        one(1 << 10, 64, TEXT),
        one(16 << 10, 32, BINARY),
        one(16 << 10, 32, TEXT),
        one(1 << 20, 4, BINARY),
        one(1 << 20, 4, TEXT),
    ];
    for load in loads {
        if plan.wants_load(&load.name) {
            table.push(&load.name, rig::measure(&load, &services(profile, plan), plan));
        }
    }
    table
}

fn services(profile: Profile, plan: &Plan) -> Vec<Service> {
    plan.peers(&Peer::PRODUCTS).into_iter().map(|peer| Service::readme(peer, profile)).collect()
}

const NOTE: &str =
    "Each with the lines of its README or example. uWebSockets and Node.js are compiled as always.";
