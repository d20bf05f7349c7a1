//! What Linux reports about itself, its processes and its limits; nothing or zero elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

/// The memory of the machine, in bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    /// What can be had without swapping.
    pub(crate) available: u64,
    /// Objects of the kernel: sockets, descriptors, entries of epoll.
    pub(crate) slab: u64,
    /// Page tables, kernel stacks and memory of each processor.
    pub(crate) other: u64,
    /// What is in the buffers of TCP sockets.
    pub(crate) buffers: u64,
    /// The kinds of slab objects, where they may be read (by root).
    pub(crate) caches: BTreeMap<String, u64>,
}

impl Memory {
    pub(crate) fn read() -> Self {
        let text = read("/proc/meminfo");
        let kib = |name: &str| number_after(&text, name).unwrap_or_default() << 10;
        Self {
            available: kib("MemAvailable:"),
            slab: kib("Slab:"),
            other: kib("PageTables:") + kib("KernelStack:") + kib("Percpu:"),
            buffers: tcp_pages() * page_size(),
            caches: caches(),
        }
    }
}

pub(crate) fn available() -> u64 {
    number_after(&read("/proc/meminfo"), "MemAvailable:").unwrap_or(u64::MAX >> 10) << 10
}

/// Returns the pages in the buffers of TCP sockets, which `net.ipv4.tcp_mem` limits.
pub(crate) fn tcp_pages() -> u64 {
    let text = read("/proc/net/sockstat");
    text.lines()
        .find(|line| line.starts_with("TCP:"))
        .and_then(|line| number_after(line, "mem"))
        .unwrap_or_default()
}

fn page_size() -> u64 {
    number_after(&read("/proc/self/smaps"), "KernelPageSize:").map_or(4096, |kib| kib << 10)
}

/// Returns the bytes of each kind of slab objects.
fn caches() -> BTreeMap<String, u64> {
    let text = read("/proc/slabinfo");
    let cache = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, _, count, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some((name.to_owned(), count.parse::<u64>().ok()? * size.parse::<u64>().ok()?))
    };
    text.lines().filter_map(cache).collect()
}

/// Returns the resident memory of this process in KiB.
pub(crate) fn resident_kib() -> u64 {
    number_after(&read("/proc/self/status"), "VmRSS:").unwrap_or_default()
}

/// Returns the memory of processes in bytes; what several share counts once.
pub(crate) fn user_memory(processes: impl Iterator<Item = u32>) -> u64 {
    let of =
        |id: u32| number_after(&read(&format!("/proc/{id}/smaps_rollup")), "Pss:").unwrap_or_default() << 10;
    processes.map(of).sum()
}

/// Returns the time that the threads of processes have run.
pub(crate) fn processor_time(processes: impl Iterator<Item = u32>) -> Duration {
    let of = |id: u32| -> u64 {
        let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().filter_map(Result::ok);
        threads
            .filter_map(|thread| first_number(&read(&format!("{}/schedstat", thread.path().display()))))
            .sum()
    };
    Duration::from_nanos(processes.map(of).sum())
}

/// Returns how long processors have not been idle since the machine started, all together.
pub(crate) fn busy_time() -> Duration {
    let text = read("/proc/stat");
    let numbers: Vec<u64> =
        text.lines().next().unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal: of a hundredth of a second.
    let idle: u64 = numbers.iter().skip(3).take(2).sum();
    Duration::from_millis(numbers.iter().take(8).sum::<u64>().saturating_sub(idle) * 10)
}

/// Returns the numbers of a setting such as `net.ipv4.tcp_mem`.
pub(crate) fn setting(name: &str) -> Vec<u64> {
    let text = read(&format!("/proc/sys/{}", name.replace('.', "/")));
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Returns a counter of `/proc/net/netstat`, such as `ListenDrops`.
pub(crate) fn counter(name: &str) -> u64 {
    let text = read("/proc/net/netstat");
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.chunks(2).filter_map(|pair| Some((pair.first()?.split(' '), pair.get(1)?.split(' '))));
    let found = pairs.flat_map(|(names, values)| names.zip(values)).find(|(known, _)| *known == name);
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or_default()
}

/// Returns the time on a clock that all processes share.
#[expect(clippy::disallowed_methods, reason = "an `Instant` means nothing to another process")]
pub(crate) fn micros_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// Has the system end this process before others when memory runs out.
pub(crate) fn end_first_without_memory() {
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

/// Whether a socket that does not block is being connected.
pub(crate) fn in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(if cfg!(target_os = "linux") { 115 } else { 36 })
}

/// Returns which limit an error means that a new socket has met.
pub(crate) fn what_ended(error: &io::Error) -> String {
    let limit = match error.raw_os_error() {
        Some(1) => "conntrack or a firewall (net.netfilter.nf_conntrack_max)",
        Some(12 | 105) => "memory of the kernel (ENOMEM or ENOBUFS)",
        Some(23) => "descriptors of the system (fs.file-max)",
        Some(24) => "descriptors of a process (ulimit -n)",
        Some(28) => "entries of epoll (fs.epoll.max_user_watches)",
        Some(98 | 99) => "ports (net.ipv4.ip_local_port_range)",
        _ => "an error",
    };
    format!("{limit}: {error}")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let at = text.find(name)? + name.len();
    first_number(text.get(at..)?)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
