//! Publishes in the background: what has come meanwhile goes out together.

use std::sync::Arc;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::backplane::BackplaneError;
use crate::backplane::queue::Queue;

use super::name::Name;

/// How many messages may wait, and how many go out together.
const MAX_WAITING: usize = 1_024;
const MAX_TOGETHER: usize = 256;

/// What a message counts as beside its payload.
const OVERHEAD: usize = 512;

/// Ends when it is dropped, after everything was published.
pub(super) struct Publisher {
    sender: mpsc::Sender<Outgoing>,
    room: Arc<Semaphore>,
    max_bytes: usize,
}

struct Outgoing {
    names: Vec<Name>,
    payload: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Publisher {
    pub(super) fn start(connection: MultiplexedConnection, queue: Arc<Queue>, max_bytes: usize) -> Self {
        let max_bytes = max_bytes.min(Semaphore::MAX_PERMITS).min(1 << 30);
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        tokio::spawn(publish(connection, receiver, queue));
        Self { sender, room: Arc::new(Semaphore::new(max_bytes)), max_bytes }
    }

    /// Waits for room, and not for an answer.
    pub(super) async fn publish(&self, names: Vec<Name>, payload: Bytes) -> Result<(), BackplaneError> {
        let ended = |_| BackplaneError::new("the connection to Redis has ended");
        let bytes = payload.len().saturating_add(OVERHEAD).min(self.max_bytes);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        let outgoing = Outgoing { names, payload, _room: room.map_err(|_| BackplaneError::new("no room"))? };
        self.sender.send(outgoing).await.map_err(ended)
    }
}

async fn publish(
    mut connection: MultiplexedConnection,
    mut receiver: mpsc::Receiver<Outgoing>,
    queue: Arc<Queue>,
) {
    let mut waiting = Vec::with_capacity(MAX_TOGETHER);
    while receiver.recv_many(&mut waiting, MAX_TOGETHER).await > 0 {
        let mut pipeline = redis::pipe();
        for outgoing in &waiting {
            for name in &outgoing.names {
                let (command, name) = match name {
                    Name::Sharded(name) => ("SPUBLISH", name),
                    Name::Plain(name) | Name::Pattern(name) => ("PUBLISH", name),
                };
                pipeline.cmd(command).arg(name).arg(&*outgoing.payload).ignore();
            }
        }
        if let Err(error) = pipeline.exec_async(&mut connection).await {
            queue.close(&format!("cannot publish with Redis: {error}"));
            return;
        }
        waiting.clear();
    }
}
