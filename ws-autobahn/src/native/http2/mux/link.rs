//! The state of an HTTP/2 connection that its tasks share: streams, windows and what is to be written.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use tokio::sync::{Notify, mpsc, oneshot};

use super::{Ends, Head};
use crate::native::http2::frames::{
    ENABLE_CONNECT_PROTOCOL, Frame, INITIAL_WINDOW, INITIAL_WINDOW_SIZE, LARGEST,
};

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    /// Frames that wait for nothing.
    control: mpsc::UnboundedSender<Option<Vec<u8>>>,
    /// DATA, in the order of the streams, which wait until the connection has accepted it.
    data: mpsc::Sender<Vec<u8>>,
    state: Mutex<State>,
    /// Notified when a window or the state has changed.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// What may be sent on the connection, and at first on a stream.
    window: i64,
    initial: i64,
    streams: HashMap<u32, Stream>,
    /// The highest stream of the peer.
    highest: u32,
    permits: Option<bool>,
    ended: Option<String>,
    /// Whether the suite has ended its half.
    closing: bool,
}

#[derive(Debug)]
struct Stream {
    window: i64,
    head: Option<oneshot::Sender<Result<Head, String>>>,
    to_inbox: Option<mpsc::UnboundedSender<Received>>,
    inbox: Option<mpsc::UnboundedReceiver<Received>>,
    ends: Arc<Ends>,
}

/// Bytes of a stream, and how much of its window they take.
type Received = (Vec<u8>, u32);

/// What is to be written.
pub(super) struct Queue {
    control: mpsc::UnboundedReceiver<Option<Vec<u8>>>,
    data: mpsc::Receiver<Vec<u8>>,
    is_closing: bool,
}

impl Queue {
    /// Returns the next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        if self.is_closing {
            // What is queued is written before the end.
            return self.data.try_recv().ok();
        }
        tokio::select! {
            biased;
            Some(control) = self.control.recv() => match control {
                Some(bytes) => Some(bytes),
                None => {
                    self.is_closing = true;
                    self.data.try_recv().ok()
                }
            },
            Some(data) = self.data.recv() => Some(self.behind_control(data)),
            else => None,
        }
    }

    /// DATA behind the frames that were sent before it, HEADERS for instance. They may have come since there were none.
    fn behind_control(&mut self, data: Vec<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !self.is_closing
            && let Ok(control) = self.control.try_recv()
        {
            match control {
                Some(frames) => bytes.extend(frames),
                None => self.is_closing = true,
            }
        }
        bytes.extend(data);
        bytes
    }
}

impl Link {
    pub(super) fn new() -> (Arc<Self>, Queue) {
        let (control, controls) = mpsc::unbounded_channel();
        let (data, datas) = mpsc::channel(4);
        let state = State {
            window: INITIAL_WINDOW,
            initial: INITIAL_WINDOW,
            streams: HashMap::new(),
            highest: 0,
            permits: None,
            ended: None,
            closing: false,
        };
        let link = Self { control, data, state: Mutex::new(state), changed: Notify::new() };
        (Arc::new(link), Queue { control: controls, data: datas, is_closing: false })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a frame.
    pub(super) fn send(&self, frame: Frame) {
        self.send_bytes(frame.encode());
    }

    /// Sends bytes; on a connection that has ended they are dropped.
    pub(super) fn send_bytes(&self, bytes: Vec<u8>) {
        let _ = self.control.send(Some(bytes));
    }

    /// Sends a frame in the order of its stream. Returns whether the connection has not ended.
    pub(super) async fn send_data(&self, frame: Frame) -> bool {
        self.data.send(frame.encode()).await.is_ok()
    }

    /// Ends the suite's half of the connection.
    pub(super) fn close(&self) {
        let _ = self.control.send(None);
        self.state().closing = true;
        self.changed.notify_waiters();
    }

    /// Waits until the suite ends its half of the connection.
    pub(super) async fn until_closing(&self) {
        self.until(|state| if state.closing { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Adds a stream. Returns the head of its answer.
    pub(super) fn add(&self, stream: u32, ends: Arc<Ends>) -> oneshot::Receiver<Result<Head, String>> {
        let (answered, head) = oneshot::channel();
        let (to_inbox, inbox) = mpsc::unbounded_channel();
        let mut state = self.state();
        state.highest = state.highest.max(stream);
        let window = state.initial;
        let new = Stream { window, head: Some(answered), to_inbox: Some(to_inbox), inbox: Some(inbox), ends };
        state.streams.insert(stream, new);
        head
    }

    /// Whether the peer may open this stream.
    pub(super) fn is_new(&self, stream: u32) -> bool {
        stream % 2 == 1 && stream > self.state().highest
    }

    /// Sets how a stream of the peer ends.
    pub(super) fn attach(&self, stream: u32, ends: Arc<Ends>) {
        if let Some(stream) = self.state().streams.get_mut(&stream) {
            stream.ends = ends;
        }
    }

    /// Takes the received bytes of a stream.
    pub(super) fn inbox(&self, stream: u32) -> Option<mpsc::UnboundedReceiver<Received>> {
        self.state().streams.get_mut(&stream).and_then(|stream| stream.inbox.take())
    }

    /// Forgets a stream.
    pub(super) fn remove(&self, stream: u32) {
        self.state().streams.remove(&stream);
        self.changed.notify_waiters();
    }

    /// The peer has sent bytes on a stream.
    pub(super) fn receive(&self, stream: u32, bytes: Vec<u8>, charged: u32, ends: bool) {
        let mut state = self.state();
        let Some(found) = state.streams.get_mut(&stream) else { return };
        if let Some(inbox) = &found.to_inbox
            && (charged > 0 || !bytes.is_empty())
        {
            let _ = inbox.send((bytes, charged));
        }
        if ends {
            found.to_inbox = None;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The head of the answer on a stream has been received, or never will be.
    pub(super) fn answered(&self, stream: u32, head: Result<Head, String>) {
        let mut state = self.state();
        if let Some(waits) = state.streams.get_mut(&stream).and_then(|stream| stream.head.take()) {
            let _ = waits.send(head);
        }
    }

    /// A stream has ended without END_STREAM.
    pub(super) fn broken(&self, stream: u32, why: &str) {
        self.answered(stream, Err(why.to_owned()));
        let mut state = self.state();
        if let Some(stream) = state.streams.remove(&stream) {
            stream.ends.break_off(why);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The peer will not process streams above `last`.
    pub(super) fn going_away(&self, last: u32, why: &str) {
        let lost: Vec<u32> = self.state().streams.keys().copied().filter(|stream| *stream > last).collect();
        lost.iter().for_each(|stream| self.broken(*stream, why));
    }

    /// The connection has ended.
    pub(super) fn end(&self, why: &str) {
        let all: Vec<u32> = self.state().streams.keys().copied().collect();
        for stream in all {
            // A stream whose two directions have ended is not broken.
            let is_whole = self.state().streams.get(&stream).is_some_and(|s| s.to_inbox.is_none());
            if is_whole { self.remove(stream) } else { self.broken(stream, why) }
        }
        self.state().ended = Some(why.to_owned());
        self.close();
        self.changed.notify_waiters();
    }

    /// Why the connection has ended.
    pub(super) fn why(&self) -> String {
        self.state().ended.clone().unwrap_or_else(|| "the stream ended before the answer".to_owned())
    }

    /// The peer's SETTINGS have been received.
    pub(super) fn settings(&self, settings: &[(u16, u32)]) {
        let mut state = self.state();
        for (name, value) in settings {
            if *name == INITIAL_WINDOW_SIZE {
                // RFC 9113 section 6.9.2: the windows of open streams change by the difference.
                let difference = i64::from(*value).saturating_sub(state.initial);
                state.initial = i64::from(*value);
                for stream in state.streams.values_mut() {
                    stream.window = stream.window.saturating_add(difference);
                }
            }
            if *name == ENABLE_CONNECT_PROTOCOL {
                state.permits = Some(*value == 1);
            }
        }
        state.permits.get_or_insert(false);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The peer has opened a window.
    pub(super) fn window(&self, stream: u32, size: u32) {
        let mut state = self.state();
        match stream {
            0 => state.window = state.window.saturating_add(i64::from(size)),
            _ => {
                if let Some(stream) = state.streams.get_mut(&stream) {
                    stream.window = stream.window.saturating_add(i64::from(size));
                }
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Waits until something may be sent on a stream and takes at most `most` bytes from the windows; `None` when the
    /// stream has ended.
    pub(super) async fn take_window(&self, stream: u32, most: usize) -> Option<usize> {
        self.until(|state| {
            let Some(found) = state.streams.get_mut(&stream) else { return Poll::Ready(None) };
            let most = i64::try_from(most.min(LARGEST)).unwrap_or(i64::MAX);
            let free = found.window.min(state.window).min(most);
            match usize::try_from(free) {
                Ok(size @ 1..) => {
                    found.window = found.window.saturating_sub(free);
                    state.window = state.window.saturating_sub(free);
                    Poll::Ready(Some(size))
                }
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Waits until the peer has ended its direction of a stream.
    pub(super) async fn until_ended(&self, stream: u32) {
        self.until(|state| match state.streams.get(&stream) {
            Some(stream) if stream.to_inbox.is_some() => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Waits for the peer's first SETTINGS; returns whether they permit the extended CONNECT.
    pub(super) async fn permission(&self) -> Result<bool, String> {
        let permission = self.until(|state| match (&state.ended, state.permits) {
            (_, Some(permits)) => Poll::Ready(Some(permits)),
            (Some(_), None) => Poll::Ready(None),
            (None, None) => Poll::Pending,
        });
        permission.await.ok_or_else(|| self.why())
    }

    /// Waits until `f` is ready.
    async fn until<T>(&self, mut f: impl FnMut(&mut State) -> Poll<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Poll::Ready(value) = f(&mut self.state()) {
                return value;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::http2::frames::{DATA, HEADERS, frame};

    #[tokio::test]
    async fn what_was_sent_before_data_is_written_before_it() {
        let (link, mut queue) = Link::new();
        let (head, data) = (frame(HEADERS, 0, 1, "head"), frame(DATA, 0, 1, "data"));
        let expected = [head.encode(), data.encode()].concat();
        link.send(head);
        assert!(link.send_data(data).await);
        // As if the head had come after the queue had looked for it.
        let data = queue.data.recv().await.unwrap();
        assert_eq!(queue.behind_control(data), expected);
        // The end waits for what is queued.
        assert!(link.send_data(frame(DATA, 0, 1, "last")).await);
        link.close();
        assert_eq!(queue.next().await, Some(frame(DATA, 0, 1, "last").encode()));
        assert_eq!(queue.next().await, None);
    }
}
