//! How much memory the machine, or the control group that the process runs in, has.

#[cfg(target_os = "linux")]
use std::fs;
#[cfg(target_os = "linux")]
use std::path::{Path, PathBuf};

/// Half of the memory that the process can have, in bytes; 4 GiB where that is not known.
pub(crate) fn default_memory() -> usize {
    machine_memory().map_or(UNKNOWN, |bytes| bytes / 2)
}

/// On Linux the least of what the machine has and what the control groups (version 2 or 1) of the process allow.
#[cfg(target_os = "linux")]
fn machine_memory() -> Option<usize> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    machine.into_iter().chain(group_limits(&groups, Path::new("/sys/fs/cgroup"))).min()
}

#[cfg(not(target_os = "linux"))]
const fn machine_memory() -> Option<usize> {
    None
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
#[cfg(target_os = "linux")]
fn total(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The limits of the control groups that `/proc/self/cgroup` names, and of those around them, below `root`.
#[cfg(target_os = "linux")]
fn group_limits(groups: &str, root: &Path) -> Vec<usize> {
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // In a container the path may be the host's: then only the root is there.
        let group: PathBuf = root.join(path.trim_start_matches('/'));
        for group in group.ancestors().take_while(|group| group.starts_with(&root)) {
            let limit = fs::read_to_string(group.join(file)).ok();
            // "max" is no limit.
            limits.extend(limit.and_then(|text| text.trim().parse::<usize>().ok()));
        }
    }
    limits
}

/// Enough for a million idle connections. A system of 32 bits has no more than half of it for a process.
#[cfg(target_pointer_width = "64")]
const UNKNOWN: usize = 4 << 30;
#[cfg(not(target_pointer_width = "64"))]
const UNKNOWN: usize = 1 << 30;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_in_bytes() {
        let meminfo = "MemTotal:       24684092 kB\nMemFree:        18000000 kB\n";
        assert_eq!(total(meminfo), Some(24_684_092 * 1024));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert_eq!(total("MemTotal: much\n"), None);
        assert!(default_memory() > 16 << 20);
    }

    #[test]
    fn the_limits_of_a_control_group_and_of_those_around_it_count_in_both_versions() {
        let root = std::env::temp_dir().join(format!("ws-server-groups-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("memory.max", "max\n");
        write("a/memory.max", "1000\n");
        write("a/b/memory.max", "2000\n");
        write("memory/c/memory.limit_in_bytes", "3000\n");
        assert_eq!(group_limits("0::/a/b\n", &root), [2000, 1000]);
        assert_eq!(group_limits("5:cpu,memory:/c\n4:cpuset:/c\n", &root), [3000]);
        assert_eq!(group_limits("0::/\n", &root), [0usize; 0]);
        assert_eq!(group_limits("nonsense\n", &root), [0usize; 0]);
        fs::remove_dir_all(&root).unwrap();
    }
}
