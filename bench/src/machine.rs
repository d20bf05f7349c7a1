//! What the operating system is asked for.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// Where the servers run.
pub const SERVER_CORE: usize = 0;
/// Where the load runs.
pub const LOAD_CORE: usize = 1;

/// Keeps this process on some cores, in place of those that it has from the process that started it.
pub fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().try_for_each(|&core| set.set(core))?;
    sched_setaffinity(Pid::from_raw(0), &set).context("pinning to a core")
}

/// Allows as many open files as the system lets us.
pub fn raise_file_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the limit of open files")
}

/// The CPU time that the threads of a process have used, user and system.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("looking for the threads of a server")? {
        // The scheduler's own count: exact where /proc/PID/stat counts ticks of 10 ms.
        let text = fs::read_to_string(thread?.path().join("schedstat"))
            .context("reading the CPU time of a server")?;
        let first = text.split_ascii_whitespace().next().context("an empty schedstat")?;
        sum += Duration::from_nanos(first.parse()?);
    }
    Ok(sum)
}

/// How often the kernel has given a process a page of memory that it touched.
pub fn page_faults(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may have spaces.
    let (_, fields) = text.rsplit_once(") ").context("a stat without a name")?;
    Ok(fields.split(' ').nth(7).context("a short stat")?.parse()?)
}

/// The private memory of a process in bytes: its heap and its stacks.
///
/// Not the pages of programs and libraries: those are private, too, but only while nobody else runs the same ones.
pub fn private_memory(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = line.with_context(|| format!("no anonymous memory in smaps_rollup of {pid}"))?;
    Ok(kib.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// The machine, for the head of a report.
pub fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| {
        let line = cpu.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start_matches(['\t', ' ', ':']))
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // Not `available_parallelism`: that is one, once pinned.
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let said = |program, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    format!(
        "{}, {cores} cores, {} (family {}, model {}), {}, Linux {}, {}",
        said("date", &["+%Y-%m-%d %H:%M"]),
        field("model name").unwrap_or("unknown processor"),
        field("cpu family").unwrap_or("?"),
        field("model\t").unwrap_or("?"),
        said("getconf", &["GNU_LIBC_VERSION"]),
        kernel.trim(),
        said("rustc", &["--version"])
    )
}
