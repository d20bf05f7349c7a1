//! A correct HTTP/2 connection in either role: each of its streams is a [`Tunnel`], through which the suite runs its
//! cases as over a TCP connection (RFC 8441 section 5).

mod link;

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split},
    sync::mpsc,
    task::JoinSet,
    time::sleep,
};

use self::link::Link;
use super::{
    frames::{
        ACK, CANCEL, CONTINUATION, DATA, ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, END_HEADERS, END_STREAM,
        Frame, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, NO_ERROR, PING, PREFACE, RST_STREAM, SETTINGS,
        WINDOW_UPDATE, code_words, frame, go_away, reset, settings, window_update,
    },
    hpack::{Decoder, literals},
    message,
    tunnel::{Ends, Tunnel},
};
use crate::native::handshake::Head;

/// The window of each stream in bytes, and of a connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;
/// How long a stream or connection that the suite has ended may take to end.
const LINGER: Duration = Duration::from_secs(1);
/// The longest field block.
const LONGEST_BLOCK: usize = 256 << 10;

/// A connection on which the suite is the client and opens one stream.
#[derive(Debug)]
pub(crate) struct Client {
    link: Arc<Link>,
    /// Whether a stream was opened, with which the connection ends.
    used: bool,
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.used {
            self.link.close();
        }
    }
}

/// A request that was received.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The head of the request.
    pub(crate) head: Head,
    stream: u32,
    link: Arc<Link>,
}

impl Client {
    /// Begins a connection and waits for the server's first SETTINGS; the caller limits the time.
    ///
    /// # Errors
    /// The connection ends, or the server does not permit the extended CONNECT (RFC 8441 section 3).
    pub(crate) async fn begin<S>(stream: S) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let this = Self { link: start(stream, PREFACE.to_vec(), &[(ENABLE_PUSH, 0)], None), used: false };
        match this.link.permission().await? {
            true => Ok(this),
            false => Err("the server's SETTINGS have no ENABLE_CONNECT_PROTOCOL = 1".to_owned()),
        }
    }

    /// Sends a request that stays open and waits for the head of the answer. The connection ends with the stream.
    ///
    /// # Errors
    /// The stream or the connection ends before the answer.
    pub(crate) async fn open(mut self, fields: &[(String, String)]) -> Result<(Head, Tunnel), String> {
        const STREAM: u32 = 1;
        let (tunnel, pipe, ends) = Tunnel::new();
        let answer = self.link.add(STREAM, Arc::clone(&ends));
        self.link.send(head(STREAM, fields, false));
        spawn_stream(&self.link, STREAM, pipe, ends, true);
        self.used = true;
        let head = answer.await.map_err(|_| self.link.why())??;
        Ok((head, tunnel))
    }
}

/// Serves a connection until it ends, with a task for each request.
pub(crate) async fn serve<S, F>(mut stream: S, handler: impl Fn(Exchange) -> F + Send)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut preface = vec![0; PREFACE.len()];
    if stream.read_exact(&mut preface).await.is_err() || preface != PREFACE {
        return;
    }
    let (requests, mut received) = mpsc::unbounded_channel();
    let link = start(stream, Vec::new(), &[(ENABLE_CONNECT_PROTOCOL, 1)], Some(requests));
    let mut tasks = JoinSet::new();
    while let Some((stream, head)) = received.recv().await {
        tasks.spawn(handler(Exchange { head, stream, link: Arc::clone(&link) }));
        while tasks.try_join_next().is_some() {}
    }
    tasks.join_all().await;
}

impl Exchange {
    /// Agrees to the WebSocket, with these fields in the answer.
    pub(crate) fn open(self, fields: &[(String, String)]) -> Tunnel {
        let (tunnel, pipe, ends) = Tunnel::new();
        self.link.attach(self.stream, Arc::clone(&ends));
        self.link.send(head(self.stream, fields, false));
        spawn_stream(&self.link, self.stream, pipe, ends, false);
        tunnel
    }

    /// Refuses the request with a body.
    pub(crate) fn refuse(self, why: &str) {
        let fields = message::owned(&[(":status", "400"), ("content-type", "text/plain")]);
        self.link.send(head(self.stream, &fields, false));
        self.link.send(frame(DATA, END_STREAM, self.stream, why));
        self.link.remove(self.stream);
    }
}

/// Returns HEADERS with these fields.
fn head(stream: u32, fields: &[(String, String)], ends: bool) -> Frame {
    let block = literals(fields.iter().map(|(name, value)| (&name[..], &value[..])));
    frame(HEADERS, END_HEADERS | if ends { END_STREAM } else { 0 }, stream, block)
}

/// Starts the tasks of a connection, which end with it.
fn start<S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
    first: Vec<u8>,
    ours: &[(u16, u32)],
    requests: Option<mpsc::UnboundedSender<(u32, Head)>>,
) -> Arc<Link> {
    let (reader, writer) = split(stream);
    let (link, queue) = Link::new();
    let ours = [ours, &[(INITIAL_WINDOW_SIZE, STREAM_WINDOW)]].concat();
    let mut bytes = first;
    bytes.extend(settings(&ours).encode());
    bytes.extend(window_update(0, CONNECTION_WINDOW).encode());
    link.send_bytes(bytes);
    tokio::spawn(write_all(writer, queue));
    let reading = Arc::clone(&link);
    tokio::spawn(async move {
        let mut input = Reading { link: &reading, decoder: Decoder::new(), requests, block: None };
        let late = async {
            reading.until_closing().await;
            sleep(LINGER).await;
            "the suite has ended the HTTP/2 connection".to_owned()
        };
        let why = tokio::select! {
            why = input.run(reader) => why,
            why = late => why,
        };
        reading.end(&why);
    });
    link
}

async fn write_all<S: AsyncWrite>(mut writer: WriteHalf<S>, mut queue: link::Queue) {
    while let Some(bytes) = queue.next().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// Starts the two directions of a stream; `alone`: the connection ends with it.
fn spawn_stream(link: &Arc<Link>, stream: u32, pipe: DuplexStream, ends: Arc<Ends>, alone: bool) {
    let (mut reader, mut writer) = split(pipe);
    let sending = Arc::clone(link);
    tokio::spawn(async move {
        let all = async {
            let mut buffer = vec![0; super::frames::LARGEST];
            while let Ok(n @ 1..) = reader.read(&mut buffer).await {
                let mut rest = buffer.get(..n).unwrap_or_default();
                while !rest.is_empty() {
                    let Some(size) = sending.take_window(stream, rest.len()).await else { return };
                    let (now, later) = rest.split_at(size.min(rest.len()));
                    if !sending.send_data(frame(DATA, 0, stream, now)).await {
                        return;
                    }
                    rest = later;
                }
            }
            let last =
                if ends.resets() { reset(stream, CANCEL) } else { frame(DATA, END_STREAM, stream, "") };
            sending.send_data(last).await;
            sending.until_ended(stream).await;
        };
        let late = async {
            ends.dropped().await;
            sleep(LINGER).await;
        };
        tokio::select! {
            () = all => {}
            () = late => sending.send(reset(stream, CANCEL)),
        }
        sending.remove(stream);
        if alone {
            sending.send_data(go_away(0, NO_ERROR)).await;
            sending.close();
        }
    });
    let (receiving, inbox) = (Arc::clone(link), link.inbox(stream));
    tokio::spawn(async move {
        let Some(mut inbox) = inbox else { return };
        while let Some((bytes, charged)) = inbox.recv().await {
            // The suite's end may be gone; the window is opened so that the peer can finish.
            let _ = writer.write_all(&bytes).await;
            if charged > 0 {
                receiving.send(window_update(stream, charged));
            }
        }
        let _ = writer.shutdown().await;
    });
}

/// Reads the peer's frames.
struct Reading<'a> {
    link: &'a Arc<Link>,
    decoder: Decoder,
    requests: Option<mpsc::UnboundedSender<(u32, Head)>>,
    /// A field block whose end is missing: its stream, whether it ends the stream, its bytes.
    block: Option<(u32, bool, Vec<u8>)>,
}

impl Reading<'_> {
    /// Reads until the end and returns why the connection has ended.
    async fn run<S: AsyncRead>(&mut self, mut reader: ReadHalf<S>) -> String {
        let mut input = Vec::new();
        loop {
            let mut at = 0usize;
            while let Some((frame, size)) = input.get(at..).and_then(Frame::read) {
                at = at.saturating_add(size);
                if let Err(why) = self.frame(frame) {
                    return why;
                }
            }
            input.drain(..at.min(input.len()));
            match reader.read_buf(&mut input).await {
                Ok(0) => return "the HTTP/2 connection ended".to_owned(),
                Ok(_) => {}
                Err(e) => return format!("the HTTP/2 connection broke: {e}"),
            }
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<(), String> {
        let cut = || format!("the peer sent a frame that is too short: {}", frame.words());
        match frame.kind {
            DATA => {
                let charged = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX);
                if charged > 0 {
                    self.link.send(window_update(0, charged));
                }
                let content = frame.content().ok_or_else(cut)?.to_vec();
                self.link.receive(frame.stream, content, charged, frame.ends_stream());
            }
            HEADERS => {
                let content = frame.content().ok_or_else(cut)?.to_vec();
                self.block = Some((frame.stream, frame.ends_stream(), content));
                self.block_ends(frame.has(END_HEADERS))?;
            }
            CONTINUATION => {
                if let Some((_, _, block)) = &mut self.block {
                    block.extend_from_slice(&frame.payload);
                }
                self.block_ends(frame.has(END_HEADERS))?;
            }
            RST_STREAM => {
                let code = frame.number(0).ok_or_else(cut)?;
                self.link.broken(frame.stream, &format!("the peer sent RST_STREAM {}", code_words(code)));
            }
            SETTINGS if !frame.has(ACK) => {
                self.link.settings(&frame.settings());
                self.link.send(super::frames::frame(SETTINGS, ACK, 0, ""));
            }
            PING if !frame.has(ACK) => self.link.send(super::frames::frame(PING, ACK, 0, frame.payload)),
            GOAWAY => {
                let code = frame.number(4).ok_or_else(cut)?;
                let last = frame.number(0).ok_or_else(cut)?;
                self.link.going_away(last, &format!("the peer sent GOAWAY {}", code_words(code)));
            }
            WINDOW_UPDATE => self.link.window(frame.stream, frame.number(0).ok_or_else(cut)?),
            _ => {}
        }
        Ok(())
    }

    fn block_ends(&mut self, ends: bool) -> Result<(), String> {
        let Some((stream, ends_stream, block)) = self.block.take() else { return Ok(()) };
        if block.len() > LONGEST_BLOCK {
            return Err(format!("the peer sent a head of more than {LONGEST_BLOCK} bytes"));
        }
        if !ends {
            self.block = Some((stream, ends_stream, block));
            return Ok(());
        }
        let head = message::head(self.decoder.decode(&block)?);
        match &self.requests {
            // RFC 9113 section 5.1.1: requests are on odd streams, each higher than the last one.
            Some(requests) if self.link.is_new(stream) => {
                self.link.add(stream, Arc::default());
                if ends_stream {
                    self.link.receive(stream, Vec::new(), 0, true);
                }
                let _ = requests.send((stream, head));
            }
            _ => {
                // RFC 9110 section 15.2: an interim answer comes before the final one.
                if message::status(&head).is_none_or(|status| status >= 200) {
                    self.link.answered(stream, Ok(head));
                }
                if ends_stream {
                    self.link.receive(stream, Vec::new(), 0, true);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
