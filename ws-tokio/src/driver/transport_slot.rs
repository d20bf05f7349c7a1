//! The place of the transport in a driver, which it can be taken out of although the driver has a destructor.

use std::ops::{Deref, DerefMut};

/// A transport; empty only in a driver that is being dropped because its transport has been taken.
#[derive(Debug)]
pub(in super::super) struct TransportSlot<S>(Option<S>);

impl<S> TransportSlot<S> {
    pub(super) const fn new(transport: S) -> Self {
        Self(Some(transport))
    }

    /// Returns the transport. The caller drops the driver without using the slot again.
    #[allow(clippy::expect_used, reason = "a driver gives its transport away by value, and so once")]
    pub(super) fn take_for_good(&mut self) -> S {
        self.0.take().expect("a transport is taken once")
    }
}

impl<S> Deref for TransportSlot<S> {
    type Target = S;

    #[inline]
    #[allow(clippy::expect_used, reason = "it is empty only while the driver is being dropped")]
    fn deref(&self) -> &S {
        self.0.as_ref().expect("the transport has not been taken")
    }
}

impl<S> DerefMut for TransportSlot<S> {
    #[inline]
    #[allow(clippy::expect_used, reason = "it is empty only while the driver is being dropped")]
    fn deref_mut(&mut self) -> &mut S {
        self.0.as_mut().expect("the transport has not been taken")
    }
}
