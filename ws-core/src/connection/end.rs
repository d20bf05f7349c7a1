//! Which end of a connection this is.

use alloc::boxed::Box;

use crate::frame::Role;
use crate::mask::MaskKeys;

/// Which end this is, with what only that end has.
#[derive(Debug)]
pub(super) enum End {
    Client(Box<Client>),
    Server,
}

impl End {
    /// Whether this end shuts the write side down once both have closed, without waiting for the other.
    pub(super) const fn shuts_down_first(&self) -> bool {
        match self {
            // §7.1.1: the server closes the TCP connection first; the client waits for it.
            Self::Client(client) => client.shuts_down_first,
            Self::Server => true,
        }
    }

    pub(super) const fn role(&self) -> Role {
        match self {
            Self::Client(_) => Role::Client,
            Self::Server => Role::Server,
        }
    }
}

/// What only a client has.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) keys: MaskKeys,
    /// It does not wait for the server to end the transport.
    pub(super) shuts_down_first: bool,
}
