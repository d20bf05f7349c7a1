//! The suite as a client: tests a server, several cases at a time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    native::{
        handshake::{Head, Request},
        play::{Patience, play},
        progress::Progress,
        record::Record,
        script::Case,
    },
    role::Role,
};

/// Where the server under test is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host and port, as in the URL and in `Host`.
    pub(crate) authority: String,
    /// The path, and a query if there is one.
    pub(crate) path: String,
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let wrong = |why| format!("{url:?}: {why}; write ws://host:port/path");
        let rest = url.strip_prefix("ws://").ok_or_else(|| wrong("only ws:// can be tested"))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if authority.is_empty() || authority.contains(['@', ' ']) {
            return Err(wrong("there is no host"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        Ok(Self { authority, path })
    }
}

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How many cases run at the same time, apart from the large ones.
    pub(crate) jobs: usize,
    /// How long the suite waits.
    pub(crate) patience: Patience,
    /// When the run ends, whatever is left.
    pub(crate) limit: Duration,
}

/// A case of which messages amount to more than this is large: as many as there are cores run at the same time.
pub(crate) const LARGE: usize = 512 << 10;

/// Plays all cases on the server and returns what came of them, in order.
///
/// # Errors
/// Nobody listens there.
pub(crate) async fn run(address: &Address, cases: Vec<Case>, pace: Pace) -> Result<Vec<Record>, String> {
    let connected = timeout(pace.patience.answer, TcpStream::connect(&address.authority)).await;
    connected
        .map_err(|_| "no answer".to_owned())
        .and_then(|connected| connected.map_err(|e| e.to_string()))
        .map_err(|e| format!("no connection to {}: {e}; is the server running?", address.authority))?;
    let progress = Arc::new(Progress::new(Role::Server, cases.len()));
    let end = Instant::now() + pace.limit;
    let (mut large, small): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|c| c.volume() > LARGE);
    // The longest first, so that they do not come together at the end.
    large.sort_by_key(|case| std::cmp::Reverse(case.volume()));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut workers = JoinSet::new();
    for (queue, workers_of_it) in [(large, cores), (small, pace.jobs)] {
        let queue = Arc::new(Mutex::new(VecDeque::from(queue)));
        for _ in 0..workers_of_it {
            let (queue, address, progress) = (Arc::clone(&queue), address.clone(), Arc::clone(&progress));
            workers.spawn(async move {
                let mut records = Vec::new();
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(case) = next else { return records };
                    let record = one(&address, &case, pace.patience, end).await;
                    progress.done(&record);
                    records.push(record);
                }
            });
        }
    }
    let mut records: Vec<Record> = workers.join_all().await.into_iter().flatten().collect();
    records.sort_by_key(|record| record.id);
    Ok(records)
}

/// Plays a case on a connection of its own.
async fn one(address: &Address, case: &Case, patience: Patience, end: Instant) -> Record {
    let start = Instant::now();
    let nothing = (String::new(), String::new());
    let playing = async {
        let connected = timeout(patience.answer, TcpStream::connect(&address.authority)).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => {
                return Record::not_open(
                    case,
                    nothing.clone(),
                    &format!("no connection: {e}"),
                    start.elapsed(),
                );
            }
            Err(_) => {
                return Record::not_open(case, nothing.clone(), "no connection in time", start.elapsed());
            }
        };
        let _ = stream.set_nodelay(true);
        on_stream(stream, address, case, patience).await
    };
    match timeout_at(end, playing).await {
        Ok(record) => record,
        Err(_) => {
            Record::not_open(case, nothing, "the run was over before the case; see --limit", start.elapsed())
        }
    }
}

/// Plays a case on a stream: the opening handshake and all that follows.
pub(crate) async fn on_stream<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut stream: S,
    address: &Address,
    case: &Case,
    patience: Patience,
) -> Record {
    let start = Instant::now();
    let request = Request::new(&address.authority, &address.path, case.offers());
    let opened = timeout(patience.answer, async {
        stream.write_all(request.text.as_bytes()).await.map_err(|e| e.to_string())?;
        read_head(&mut stream).await
    });
    let (head, response, early) = match opened.await {
        Ok(Ok(opened)) => opened,
        Ok(Err(e)) => return Record::not_open(case, (request.text, String::new()), &e, start.elapsed()),
        Err(_) => {
            let why = "no answer to the opening handshake in time";
            return Record::not_open(case, (request.text, String::new()), why, start.elapsed());
        }
    };
    let agreed = match request.check(&head) {
        Ok(Some(_)) if case.offers().is_empty() => {
            Err("the server agrees to an extension that was not offered".to_owned())
        }
        checked => checked,
    };
    match agreed {
        Ok(agreed) => {
            let played = play(stream, &early, Role::Server, agreed, case, patience).await;
            Record::played(case, (request.text, response), played, start.elapsed())
        }
        Err(e) => Record::not_open(case, (request.text, response), &e, start.elapsed()),
    }
}

/// Reads a head, and returns it with its text and the bytes behind it.
///
/// # Errors
/// The connection ends, or what is sent is no head.
pub(crate) async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<(Head, String, Vec<u8>), String> {
    let mut bytes = Vec::new();
    loop {
        if let Some((head, size)) = Head::split(&bytes)? {
            let early = bytes.split_off(size.min(bytes.len()));
            return Ok((head, String::from_utf8_lossy(&bytes).into_owned(), early));
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) => return Err("the connection ended within the opening handshake".to_owned()),
            Ok(_) => {}
            Err(e) => return Err(format!("the connection broke within the opening handshake: {e}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |url: &str| url.parse::<Address>();
        let address = read("ws://example.org:9001/echo?x=1#part").unwrap();
        assert_eq!((&address.authority[..], &address.path[..]), ("example.org:9001", "/echo?x=1"));
        assert_eq!(read("ws://[::1]:80").unwrap().path, "/");
        assert_eq!(read("ws://localhost").unwrap().authority, "localhost:80");
        assert_eq!(read("ws://localhost:1?a").unwrap().path, "/?a");
        for wrong in ["http://x", "wss://x", "ws://", "ws:///path", "x"] {
            assert!(read(wrong).unwrap_err().contains("ws://host:port/path"), "{wrong}");
        }
    }
}
