//! Buffers shared by the connections of a thread, so that one that waits owns none.

use std::cell::RefCell;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use ws_core::copy::pieces;
use ws_core::{FrameHeader, LargeMessage, Utf8Bytes};

/// What has been read and not been received yet.
///
/// Its allocation comes from the thread's pool and goes back when it is dropped, on whichever
/// thread that is. A pointer only: most connections have none most of the time.
#[derive(Debug, Default)]
pub(super) struct Input(Option<Box<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    bytes: BytesMut,
    /// This many of them have been received. They are passed over now and then: that is dearer than to count.
    start: usize,
    /// It is larger than those of the pool.
    grown: bool,
}

impl Input {
    /// One that holds `bytes`, read by the caller before.
    pub(super) fn with(bytes: &[u8]) -> Self {
        let mut input = Self::default();
        if !bytes.is_empty() {
            let buffer = input.buffer();
            buffer.grown = bytes.len() > buffer.bytes.capacity();
            buffer.bytes.extend_from_slice(bytes);
        }
        input
    }

    /// The bytes not received yet, to be taken from the front. What is left when that ends, be it by a panic, is unread
    /// still; then call [`filled`](Self::filled).
    #[inline]
    pub(super) fn lend(&mut self) -> Lease<'_> {
        match self.0.as_deref_mut() {
            Some(Buffer { bytes, start, .. }) => {
                let end = bytes.len();
                Lease { unread: bytes.get_mut(*start..).unwrap_or_default(), end, start: Some(start) }
            }
            None => Lease { unread: &mut [], end: 0, start: None },
        }
    }

    /// Takes a large message that was found at the front of what was lent, with its part of the buffer.
    pub(super) fn take_large_message(&mut self, large: LargeMessage) -> Bytes {
        let message = self.0.as_mut().map(|buffer| large.take(buffer.unreceived())).unwrap_or_default();
        self.filled();
        message
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.bytes.len().saturating_sub(buffer.start))
    }

    /// Whether memory is held.
    #[inline]
    pub(super) const fn has_buffer(&self) -> bool {
        self.0.is_some()
    }

    /// Bytes of memory held.
    pub(super) fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.bytes.capacity())
    }

    /// Room behind them to read into: never none. It grows when nothing else is left.
    pub(super) fn room(&mut self) -> Limit<&mut BytesMut> {
        let buffer = self.buffer();
        buffer.unreceived();
        let Buffer { bytes, grown, .. } = buffer;
        if spare(bytes) == 0 && !bytes.try_reclaim(bytes.len().max(1)) {
            bytes.reserve(bytes.len().max(INPUT));
            *grown = true;
        }
        let spare = spare(bytes);
        bytes.limit(spare)
    }

    /// Reports that bytes have come or been received: with nothing unread the buffer goes back to the pool.
    pub(super) fn filled(&mut self) {
        if self.len() == 0 {
            self.give_back();
        }
    }

    fn buffer(&mut self) -> &mut Buffer {
        self.0.get_or_insert_with(|| {
            // Others may still be shared with messages that a caller keeps.
            take(|pool| &mut pool.inputs, |buffer| buffer.bytes.try_reclaim(INPUT)).unwrap_or_else(|| {
                Box::new(Buffer { bytes: BytesMut::with_capacity(INPUT), ..Buffer::default() })
            })
        })
    }

    fn give_back(&mut self) {
        if let Some(mut buffer) = self.0.take().filter(|buffer| !buffer.grown) {
            buffer.bytes.clear();
            buffer.start = 0;
            give(|pool| &mut pool.inputs, buffer);
        }
    }
}

impl Buffer {
    /// The bytes from those on that have not been received.
    fn unreceived(&mut self) -> &mut BytesMut {
        self.bytes.advance(self.start.min(self.bytes.len()));
        self.start = 0;
        &mut self.bytes
    }
}

/// Bytes lent by [`Input::lend`].
pub(super) struct Lease<'a> {
    pub(super) unread: &'a mut [u8],
    /// Where they end in the buffer.
    end: usize,
    start: Option<&'a mut usize>,
}

impl Drop for Lease<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(start) = &mut self.start {
            **start = self.end.saturating_sub(self.unread.len());
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Makes room in a large message that is being put together, of which at most `most` bytes are to come.
///
/// Memory follows what has been received, not what has been announced: unless the thread has a place for all of it.
pub(super) fn enlarge(message: &mut BytesMut, most: usize) {
    if spare(message) >= ROOM.min(most) {
        return;
    }
    let len = message.len();
    // Others are too small, or the message that lies there is still kept by a caller.
    match take(|pool| &mut pool.large, |place| place.try_reclaim(len.saturating_add(most))) {
        Some(mut place) => {
            for piece in pieces(message, place.spare_capacity_mut().as_ptr().cast()) {
                place.extend_from_slice(piece);
            }
            *message = place;
        }
        None => message.reserve(most.min(len.max(INPUT))),
    }
}

/// A large message as its receiver gets it. The thread keeps a handle on its memory, for another when this one is gone.
pub(super) fn hand_over(mut message: BytesMut) -> Bytes {
    let keep = message.capacity() <= LARGE;
    let bytes = message.split().freeze();
    if keep {
        give(|pool| &mut pool.large, message);
    }
    bytes
}

/// An empty place for a text of this many bytes, which a message had before that is gone.
pub(super) fn take_text(len: usize) -> Option<String> {
    // Not much larger: what is held counts, and not what is used of it.
    let sizes = len..=len.saturating_mul(2);
    let will_do = |text: &mut Text| text.bytes.is_unique() && sizes.contains(&text.capacity);
    let mut bytes = take(|pool| &mut pool.texts, will_do)?.bytes;
    // To be taken as a vector without moving its bytes; with none of them `Bytes` would drop its memory.
    bytes.truncate(1);
    let mut bytes = Vec::from(bytes);
    bytes.clear();
    String::from_utf8(bytes).ok().filter(|text| text.capacity() >= len)
}

/// A long text as its receiver gets it. The thread keeps a handle on its memory, as on that of a large message.
pub(super) fn hand_over_text(mut text: String) -> Utf8Bytes {
    if text.capacity() > LARGE && text.len() <= LARGE {
        // It has grown to twice its length, the first time.
        text.shrink_to_fit();
    }
    let (capacity, long) = (text.capacity(), is_long(&text));
    let text = Utf8Bytes::from(text);
    if long {
        give(|pool| &mut pool.texts, Text { bytes: text.as_bytes().clone(), capacity });
    }
    text
}

/// Whether the memory of a text is worth keeping for the next.
pub(super) fn is_long(text: &String) -> bool {
    text.capacity() >= INPUT && text.len() <= LARGE
}

/// An empty allocation for what is to be written; none if the pool has none, it then grows as needed.
pub(super) fn take_output() -> Vec<u8> {
    take(|pool| &mut pool.outputs, |_| true).unwrap_or_default()
}

/// Gives such an allocation back. Large ones are freed: they were needed once.
pub(super) fn give_output(buffer: Vec<u8>) {
    if buffer.capacity() <= INPUT * 2 {
        give(|pool| &mut pool.outputs, buffer);
    }
}

/// The size of an input buffer, what one read takes at most: a message of 64 KiB with its header.
const INPUT: usize = (64 << 10) + FrameHeader::MAX_LEN;

/// A read of fewer bytes is not worth its system call.
const ROOM: usize = 4 << 10;

/// The largest memory of a message that a thread keeps: what a server takes by default, and the last read may be too much.
const LARGE: usize = (1 << 20) + INPUT;

/// How many buffers of a sort a thread keeps.
const KEPT: usize = 4;

#[derive(Default)]
struct Pool {
    #[allow(clippy::vec_box, reason = "the box is what a connection borrows")]
    inputs: Vec<Box<Buffer>>,
    outputs: Vec<Vec<u8>>,
    large: Vec<BytesMut>,
    texts: Vec<Text>,
}

/// The memory of a long text, which its receiver may still have.
#[derive(Debug)]
struct Text {
    bytes: Bytes,
    capacity: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// The one given last among those that will do.
fn take<T>(sort: impl FnOnce(&mut Pool) -> &mut Vec<T>, will_do: impl FnMut(&mut T) -> bool) -> Option<T> {
    let find = |pool: &RefCell<Pool>| {
        let mut pool = pool.borrow_mut();
        let kept = sort(&mut pool);
        let place = kept.iter_mut().rposition(will_do);
        if place.is_none() && kept.len() == KEPT {
            // The oldest may be one that never comes free.
            kept.remove(0);
        }
        place.map(|place| kept.remove(place))
    };
    POOL.try_with(find).ok().flatten()
}

fn give<T>(sort: impl FnOnce(&mut Pool) -> &mut Vec<T>, buffer: T) {
    // A thread that is ending has no pool any more: the buffer is freed.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let kept = sort(&mut pool);
        if kept.len() < KEPT {
            kept.push(buffer);
        }
    });
}

fn spare(bytes: &BytesMut) -> usize {
    bytes.capacity().saturating_sub(bytes.len())
}
