//! The native suite: Autobahn's cases, run by a small peer of this crate that shares no code with ws-core.

pub(crate) mod against_client;
pub(crate) mod against_server;
pub(crate) mod baseline;
pub(crate) mod cases;
pub(crate) mod content;
pub(crate) mod control;
pub(crate) mod deflate;
pub(crate) mod doors;
pub(crate) mod echo;
pub(crate) mod exec;
#[cfg(test)]
mod faulty;
pub(crate) mod frame;
pub(crate) mod handshake;
pub(crate) mod http2;
pub(crate) mod judge;
pub(crate) mod junit;
pub(crate) mod log;
mod ours;
pub(crate) mod payload;
pub(crate) mod play;
pub(crate) mod probe;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod rules;
pub(crate) mod script;
pub(crate) mod session;
pub(crate) mod steps;
pub(crate) mod target;
pub(crate) mod tls;
mod wanted;
pub(crate) mod words;

pub(crate) use ours::native_on_ours;
