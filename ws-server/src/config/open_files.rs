//! How many connections the process's limit of open files leaves room for.

/// Handshakes, requests in guards, and answers are counted apart, each with its own descriptors.
pub(crate) fn default_connections(open_files: usize, handshakes: usize) -> usize {
    for_connections(open_files).saturating_sub(beside_connections(handshakes)).clamp(1, DEFAULT_CONNECTIONS)
}

/// The descriptors that may be open beside those of WebSockets, where this many handshakes may be.
pub(crate) const fn beside_connections(handshakes: usize) -> usize {
    handshakes.saturating_mul(2).saturating_add(answers(handshakes))
}

/// The permits for answers, where there are this many for handshakes.
pub(crate) const fn answers(handshakes: usize) -> usize {
    handshakes.div_ceil(2)
}

pub(crate) fn default_handshakes(open_files: usize) -> usize {
    (for_connections(open_files) / HANDSHAKE_SHARE).clamp(1, DEFAULT_HANDSHAKES)
}

/// Some descriptors are for the rest of the program; where 64 would be more than half of them, half.
fn for_connections(open_files: usize) -> usize {
    open_files.saturating_sub(SPARE_FILES).max(open_files / 2)
}

#[cfg(unix)]
pub(crate) fn open_files_limit() -> usize {
    rlimit::getrlimit(rlimit::Resource::NOFILE)
        .map_or(DEFAULT_CONNECTIONS, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
pub(crate) fn open_files_limit() -> usize {
    usize::MAX
}

const DEFAULT_CONNECTIONS: usize = 10_000;
const DEFAULT_HANDSHAKES: usize = 4096;
/// One in eight connections may be a handshake, and one a request in guards.
const HANDSHAKE_SHARE: usize = 8;
const SPARE_FILES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_limit_of_open_files_is_the_soft_limit_of_the_process() {
        let soft = rlimit::Resource::NOFILE.get_soft().unwrap();
        assert_eq!(open_files_limit() as u64, soft);
    }

    #[test]
    fn the_default_limits_spare_descriptors_and_never_are_zero() {
        for (open_files, connections, handshakes) in [
            (1024, 660, 120),
            (20_000, 10_000, 2492),
            (1_000_000, 10_000, 4096),
            (usize::MAX, 10_000, 4096),
            (64, 22, 4),
            (2, 1, 1),
            (0, 1, 1),
        ] {
            assert_eq!(default_handshakes(open_files), handshakes, "{open_files}");
            assert_eq!(default_connections(open_files, handshakes), connections, "{open_files}");
        }
    }
}
