//! How a subscription begins.

use tokio::sync::watch;

use crate::position::Position;

/// How a subscription begins.
#[derive(Debug, Clone)]
pub(crate) enum Beginning {
    /// It has begun.
    Now(Begun),
    /// It begins when the log of its topic has been read.
    Held(watch::Receiver<Option<Begun>>),
}

/// How a subscription has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// If it was to resume.
    pub(crate) resumed: Option<Resumed>,
    /// The latest message of its topic then.
    #[cfg_attr(not(feature = "endpoint"), expect(dead_code, reason = "the endpoint answers with it"))]
    pub(crate) head: Option<Position>,
}

/// How a subscription that was to resume has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resumed {
    /// Everything after the position is replayed: this many messages, as of the moment of subscribing.
    Complete {
        /// How many were missed.
        missed: u64,
    },
    /// Not everything after the position is there any more. A gap mark comes first, then what there is.
    Gap(Gap),
}

/// What a history still has when it does not have all that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The oldest message that can be replayed; if there is none, the one that will be published next.
    pub oldest: Position,
    /// The latest message that was published.
    pub head: Position,
}

impl Beginning {
    /// How it has begun, if it has.
    pub(crate) fn now(&self) -> Option<Begun> {
        match self {
            Self::Now(begun) => Some(*begun),
            Self::Held(begun) => *begun.borrow(),
        }
    }

    /// Waits for it. `None` if the subscription has ended before.
    pub(crate) async fn wait(self) -> Option<Begun> {
        match self {
            Self::Now(begun) => Some(begun),
            Self::Held(mut begun) => {
                let begun = begun.wait_for(Option::is_some).await;
                begun.ok().and_then(|begun| *begun)
            }
        }
    }
}
