//! The limits of the machine for connections: how many processes are needed, and what ends it earlier.

use std::fmt::Write;

use crate::machine::{available, setting};
use crate::server::FILES;
use crate::{Arguments, Failure};

/// The descriptors that a crowd needs beside those of its clients.
const CROWD_FILES: usize = 64;
/// The descriptors of other programs.
const OTHER_FILES: u64 = 10_000;

/// How many processes for how many connections.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    pub(crate) servers: usize,
    pub(crate) crowds: usize,
    /// The WebSockets that a process of the server may have.
    pub(crate) capacity: usize,
    /// The limits of this machine, as a table.
    pub(crate) table: String,
    /// The limit for which there are fewer connections than wanted.
    pub(crate) limit: Option<String>,
}

impl Plan {
    /// Raises the limit of descriptors for this program as far as that is allowed, reads all others, and changes none.
    pub(crate) fn new(wanted: usize, arguments: &Arguments) -> Result<Self, Failure> {
        let files = raise_files((wanted + FILES + CROWD_FILES) as u64)?;
        let files = usize::try_from(files)?.min(arguments.per_process.unwrap_or(usize::MAX));
        let capacity = files.checked_sub(FILES + CROWD_FILES).filter(|n| *n > 0);
        let capacity = capacity.ok_or_else(|| format!("{files} open files are too few: raise ulimit -n"))?;

        let mut plan = Self {
            connections: wanted,
            servers: servers(wanted, capacity),
            crowds: wanted.div_ceil(files - CROWD_FILES).max(2),
            capacity,
            table: "| limit | here | needed | |\n|---|---|---|---|\n".to_owned(),
            limit: None,
        };
        let each = wanted as u64;
        let of = |name: &str, place: usize| setting(name).get(place).copied();
        let without = format!("{} processes share the port instead of one", plan.servers);
        plan.row(
            "open files of a process (`ulimit -n`)",
            Some(files as u64),
            each + FILES as u64,
            &without,
            0,
        );
        plan.row(
            "`fs.nr_open`",
            of("fs.nr_open", 0),
            each + FILES as u64,
            "`ulimit -n` cannot be set above it",
            0,
        );
        plan.row("`fs.file-max`", of("fs.file-max", 0), 2 * each + OTHER_FILES, "fewer connections", 2);
        let watches = of("fs.epoll.max_user_watches", 0);
        plan.row("`fs.epoll.max_user_watches`", watches, 2 * each, "fewer connections", 2);
        let ports = setting("net.ipv4.ip_local_port_range");
        let ports = ports.get(1).zip(ports.first()).map(|(last, first)| last.saturating_sub(*first));
        plan.row("ports of an address (`net.ipv4.ip_local_port_range`)", ports, 2000, "opening fails", 0);
        let tracked = of("net.netfilter.nf_conntrack_count", 0).is_some_and(|count| count > 0);
        if tracked {
            plan.row(
                "`net.netfilter.nf_conntrack_max`",
                of("net.netfilter.nf_conntrack_max", 0),
                each,
                "fewer connections",
                1,
            );
        }
        let backlog = of("net.core.somaxconn", 0);
        plan.row("`net.core.somaxconn`", backlog, 4096, "opening is slower", 0);
        let buckets = of("net.ipv4.tcp_ehash_entries", 0);
        let slower = "packets find their socket later; it is set when the system starts (`thash_entries=`)";
        plan.row("`net.ipv4.tcp_ehash_entries`", buckets, 2 * each, slower, 0);
        let pages = of("net.ipv4.tcp_mem", 2);
        plan.row(
            "`net.ipv4.tcp_mem`, pages",
            pages,
            each,
            "senders wait while many receivers have not read",
            0,
        );
        let threads = 4 * (plan.servers + plan.crowds) as u64 + 1000;
        plan.row("`kernel.pid_max`", of("kernel.pid_max", 0), threads, "processes do not start", 0);
        plan.row("`kernel.threads-max`", of("kernel.threads-max", 0), threads, "processes do not start", 0);
        let mib = (available() - (available().min(arguments.reserve << 20))) >> 20;
        let needed = (each * BYTES) >> 20;
        plan.row("MiB of memory available above the reserve", Some(mib), needed, "it may end earlier", 0);
        Ok(plan)
    }

    /// Adds a row; where the limit is of `sockets` for each connection, there are at most as many connections as it allows.
    fn row(&mut self, name: &str, here: Option<u64>, needed: u64, without: &str, sockets: u64) {
        let enough = here.is_none_or(|here| here >= needed);
        let here_text = here.map_or("unknown".to_owned(), |here| here.to_string());
        let what = if enough { "" } else { without };
        let _ = writeln!(self.table, "| {name} | {here_text} | {needed} | {what} |");
        if let (false, Some(here), 1..) = (enough, here, sockets) {
            let most = usize::try_from(here.saturating_sub(OTHER_FILES) / sockets).unwrap_or(usize::MAX);
            if most < self.connections {
                self.connections = round(most);
                self.limit = Some(format!("{name} = {here}"));
            }
        }
    }
}

/// What a connection takes of user and kernel memory on both sides, measured; only the table says it.
const BYTES: u64 = 12 << 10;

/// Returns how many processes of this capacity are needed, between which the system chooses at random for each connection
/// (SO_REUSEPORT): enough of them that one with five standard deviations more than others is not full.
fn servers(connections: usize, capacity: usize) -> usize {
    if connections <= capacity {
        return 1;
    }
    let fits = |servers: &usize| {
        let mean = connections as f64 / *servers as f64;
        mean + 5.0 * mean.sqrt() <= capacity as f64
    };
    (2..=connections).find(fits).unwrap_or(connections)
}

/// Returns the largest round number up to `count`: of two digits, the second of which is 0 or 5.
pub(crate) fn round(count: usize) -> usize {
    let unit = 10_usize.pow(count.max(1).ilog10()) / 2;
    count / unit.max(1) * unit.max(1)
}

/// Sets the limit of open files, if possible also the hard one, and returns what it is.
fn raise_files(wanted: u64) -> Result<u64, Failure> {
    let (soft, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE)?;
    if soft < wanted && rlimit::setrlimit(rlimit::Resource::NOFILE, wanted, wanted.max(hard)).is_ok() {
        return Ok(wanted);
    }
    Ok(rlimit::increase_nofile_limit(wanted.max(soft))?)
}
