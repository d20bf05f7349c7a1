//! A server in memory: with it a whole connection takes place in tokio's paused time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;
use ws_client::{Connecting, Connector, Request, Stream};

use super::{accept, read_head};

/// What the server does with one connection.
#[derive(Debug, Clone)]
pub enum Act {
    /// It cannot be reached.
    Refuse,
    /// It answers after this time, `{accept}` standing for the right key, and ends after another.
    Answer { after: Duration, with: String, lives: Duration },
}

impl Act {
    pub fn answer(after: Duration, with: &str) -> Self {
        Self::Answer { after, with: with.into(), lives: Duration::ZERO }
    }

    /// It opens a WebSocket at once, which ends after this time.
    pub fn open(lives: Duration) -> Self {
        let with = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n";
        Self::Answer { after: Duration::ZERO, with: with.into(), lives }
    }
}

/// Does one act after another, the last again and again, and keeps the requests.
#[derive(Debug)]
pub struct Memory {
    acts: Mutex<VecDeque<Act>>,
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Memory {
    pub fn new(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self { acts: Mutex::new(acts.into_iter().collect()), heads: Arc::default() })
    }

    fn next(&self) -> Act {
        let mut acts = self.acts.lock().unwrap();
        if acts.len() > 1 { acts.pop_front().unwrap() } else { acts[0].clone() }
    }
}

impl Connector for Memory {
    fn connect<'a>(&'a self, _request: &'a Request) -> Connecting<'a> {
        Box::pin(async {
            let Act::Answer { after, with, lives } = self.next() else {
                return Err(io::ErrorKind::ConnectionRefused.into());
            };
            let (near, mut far) = tokio::io::duplex(1 << 16);
            let heads = self.heads.clone();
            tokio::spawn(async move {
                let head = read_head(&mut far).await;
                sleep(after).await;
                let _ = far.write_all(with.replace("{accept}", &accept(&head)).as_bytes()).await;
                heads.lock().unwrap().push(head);
                sleep(lives).await;
            });
            Ok(Stream::custom(near))
        })
    }
}
