//! The option of a socket, where the system has it; and the time.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A socket that has the option.
#[cfg(any(target_os = "android", target_os = "linux"))]
pub trait Socket: std::os::fd::AsFd {}

#[cfg(any(target_os = "android", target_os = "linux"))]
impl<S: std::os::fd::AsFd> Socket for S {}

/// A socket that may have the option on other systems.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub trait Socket {}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
impl<S> Socket for S {}

/// Sets how many bytes the system takes that it has not sent. Whether that has worked.
pub(super) fn set(socket: &impl Socket, limit: u32) -> bool {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    return socket2::SockRef::from(socket).set_tcp_notsent_lowat(limit).is_ok();
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    {
        let _ = (socket, limit);
        false
    }
}

pub(super) fn get(socket: &impl Socket) -> Option<u32> {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    return socket2::SockRef::from(socket).tcp_notsent_lowat().ok();
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    {
        let _ = socket;
        None
    }
}

/// The time since the first call. It is that of the link, which a runtime whose clock is paused does not stop.
pub(super) fn now() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}
