//! HTTP/2 connections that WebSockets share: RFC 8441 on top of RFC 9113.
//!
//! [`Pool`] has an [`Origin`] for each server, and that the [`Link`]s to it: one for each open connection. A
//! [`Lease`] is the place of one WebSocket on a link. The task that drives a link ends when neither the pool nor a WebSocket
//! uses it.

mod link;
mod origin;
mod pool;

pub(crate) use self::link::{Lease, Link, Slot};
pub(crate) use self::origin::Origin;
pub(crate) use self::pool::{Key, Pool};
