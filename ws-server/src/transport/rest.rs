//! What is left of a connection when its handler drops it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task;

use crate::transport::stream::Stream;
use crate::transport::stream::WebSocket;
use ws_tokio::ConnectionId;

/// Where the task of a connection finds what its handler has dropped, so that it can close it as the handler's outcome
/// asks for, and linger: to close a socket with something unread would make the system send a reset, which can destroy
/// the last bytes before the peer has read them.
#[derive(Debug, Clone)]
pub(crate) struct Rest(Arc<Slot>);

#[derive(Debug)]
struct Slot {
    id: ConnectionId,
    /// That of the connection.
    task: Option<task::Id>,
    left: Mutex<Option<Left>>,
    /// Whether something is there: a hint that spares the lock at each turn of the handler.
    is_left: AtomicBool,
}

/// What is left.
#[derive(Debug)]
pub(crate) enum Left {
    /// A stream whose last bytes are on their way. Boxed, as the place for it is there while the connection is open.
    Stream(Box<Stream>),
    /// A WebSocket that is open, or closing after a panic.
    WebSocket(WebSocket),
}

impl Rest {
    /// For the connection whose task this is.
    pub(crate) fn new(id: ConnectionId) -> Self {
        let (left, is_left) = (Mutex::default(), AtomicBool::new(false));
        Self(Arc::new(Slot { id, task: task::try_id(), left, is_left }))
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.0.id
    }

    /// Whether this is the connection's task.
    pub(crate) fn is_here(&self) -> bool {
        self.0.task.is_some() && self.0.task == task::try_id()
    }

    pub(crate) fn keep_stream(&self, stream: Stream) {
        self.put(Left::Stream(Box::new(stream)));
    }

    pub(crate) fn keep_websocket(&self, websocket: WebSocket) {
        self.put(Left::WebSocket(websocket));
    }

    pub(crate) fn take(&self) -> Option<Left> {
        self.0.is_left.store(false, Relaxed);
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What the handler has dropped, if it has; cheap, as it is asked at every turn of the handler.
    pub(crate) fn take_dropped(&self) -> Option<Left> {
        self.0.is_left.load(Relaxed).then(|| self.take()).flatten()
    }

    /// Closes what was left without waiting; returns the stream if its last bytes are on their way.
    pub(crate) fn say_goodbye(&self, left: Left) -> Option<Stream> {
        let left = match left {
            Left::Stream(stream) => return Some(*stream),
            Left::WebSocket(mut websocket) => {
                // Dropped, it puts its stream here.
                websocket.get_mut().set_rest(self.clone());
                drop(websocket);
                self.take()
            }
        };
        match left {
            Some(Left::Stream(stream)) => Some(*stream),
            Some(Left::WebSocket(_)) | None => None,
        }
    }

    fn put(&self, left: Left) {
        *self.0.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        self.0.is_left.store(true, Relaxed);
    }
}
