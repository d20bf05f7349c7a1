//! Two tasks that use one WebSocket, one as a `Stream` and the other as a `Sink`, as `StreamExt::split` of futures lets them.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Which of the two traits a task uses.
#[derive(Clone, Copy)]
pub(super) enum Half {
    Stream,
    Sink,
}

/// The task of each half that waits.
///
/// A transport remembers one task for reading, the last that asked, and a send or a close reads, too. So a half that asks while
/// the other waits has both woken.
#[derive(Debug, Default)]
pub(super) struct Halves {
    stream: Option<Waker>,
    sink: Option<Waker>,
}

impl Halves {
    fn of(&mut self, half: Half) -> (&mut Option<Waker>, &mut Option<Waker>) {
        match half {
            Half::Stream => (&mut self.stream, &mut self.sink),
            Half::Sink => (&mut self.sink, &mut self.stream),
        }
    }
}

/// Polls for `half`, so that no event which the other half waits for is lost.
pub(super) fn poll_half<T>(
    halves: &mut Option<Box<Halves>>,
    half: Half,
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let other = halves.as_mut().and_then(|halves| halves.of(half).1.clone());
    let other = other.filter(|other| !other.will_wake(cx.waker()));
    let polled = match &other {
        None => poll(cx),
        Some(other) => {
            let both = Waker::from(Arc::new(Both(cx.waker().clone(), other.clone())));
            poll(&mut Context::from_waker(&both))
        }
    };
    if polled.is_pending() {
        let (own, _) = halves.get_or_insert_default().of(half);
        match own {
            Some(own) => own.clone_from(cx.waker()),
            None => *own = Some(cx.waker().clone()),
        }
    } else {
        if let Some(halves) = halves {
            *halves.of(half).0 = None;
        }
        // What has been done may be what the other half waits for: the end, or room.
        if let Some(other) = other {
            other.wake();
        }
    }
    polled
}

struct Both(Waker, Waker);

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
        self.1.wake_by_ref();
    }
}
