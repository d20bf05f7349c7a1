//! The suite as a client, which tests a server with several cases at a time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    native::{
        handshake::{Head, Request, check_connect, connect_request},
        http2::{message, mux::Client},
        play::{Patience, play},
        probe,
        progress::Progress,
        record::Record,
        script::{Case, Script},
        target::{Address, Target, Version},
    },
    role::Role,
};

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How many cases run at the same time, except for the large ones.
    pub(crate) jobs: usize,
    /// How long the suite waits.
    pub(crate) patience: Patience,
    /// The process of the server, if its memory is to be measured.
    pub(crate) pid: Option<u32>,
    /// When the run ends; the remaining cases fail.
    pub(crate) limit: Duration,
}

/// A case whose messages are larger than this in total is large: as many as there are cores run at the same time.
pub(crate) const LARGE: usize = 512 << 10;

/// Runs all cases on the server and returns the results, in order.
///
/// # Errors
/// No server listens at the address.
pub(crate) async fn run(target: &Target, cases: Vec<Case>, pace: Pace) -> Result<Vec<Record>, String> {
    let connected = target.connect(pace.patience.answer).await;
    drop(connected.map_err(|e| format!("{}: {e}; is the server running?", target.address.authority))?);
    let progress = Arc::new(Progress::new(Role::Server, cases.len()));
    let end = Instant::now() + pace.limit;
    let (measured, cases): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(Case::is_measured);
    let (mut large, small): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|c| c.volume() > LARGE);
    // The longest first, so that they do not run alone at the end.
    large.sort_by_key(|case| std::cmp::Reverse(case.volume()));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut workers = JoinSet::new();
    for (queue, workers_of_it) in [(large, cores), (small, pace.jobs)] {
        let queue = Arc::new(Mutex::new(VecDeque::from(queue)));
        for _ in 0..workers_of_it {
            let (queue, target, progress) = (Arc::clone(&queue), target.clone(), Arc::clone(&progress));
            workers.spawn(async move {
                let mut records = Vec::new();
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(case) = next else { return records };
                    let record = one(&target, &case, pace.patience, pace.pid, end).await;
                    progress.done(&record);
                    records.push(record);
                }
            });
        }
    }
    let mut records: Vec<Record> = workers.join_all().await.into_iter().flatten().collect();
    // One at a time, because the measurement would include other cases.
    for case in measured {
        let record = one(target, &case, pace.patience, pace.pid, end).await;
        progress.done(&record);
        records.push(record);
    }
    records.sort_by_key(|record| record.id);
    Ok(records)
}

/// Runs a case on a new connection.
async fn one(target: &Target, case: &Case, patience: Patience, pid: Option<u32>, end: Instant) -> Record {
    let start = Instant::now();
    let nothing = (String::new(), String::new());
    let playing = async {
        if let Script::Probe(probe) = &case.script {
            return probe::on_server(target, case, probe, patience.answer, pid).await;
        }
        match (target.connect(patience.answer).await, target.version) {
            (Ok(stream), Version::Http1) => on_stream(stream, &target.address, case, patience).await,
            (Ok(stream), Version::Http2) => on_connection(stream, &target.address, case, patience).await,
            (Err(why), _) => Record::not_open(case, nothing.clone(), &why, start.elapsed()),
        }
    };
    match timeout_at(end, playing).await {
        Ok(record) => record,
        Err(_) => Record::not_open(
            case,
            nothing,
            "the run reached its time limit before the case; see --limit",
            start.elapsed(),
        ),
    }
}

/// Runs a case on a stream, beginning with the opening handshake.
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

/// Runs a case on a stream of a new HTTP/2 connection (RFC 8441 section 5).
pub(crate) async fn on_connection<S: AsyncRead + AsyncWrite + Send + 'static>(
    connection: S,
    address: &Address,
    case: &Case,
    patience: Patience,
) -> Record {
    let start = Instant::now();
    let request = connect_request(address, case.offers());
    let text = message::text(&request);
    let opened = timeout(patience.answer, async { Client::begin(connection).await?.open(&request).await });
    let (head, stream) = match opened.await {
        Ok(Ok(opened)) => opened,
        Ok(Err(e)) => return Record::not_open(case, (text, String::new()), &e, start.elapsed()),
        Err(_) => {
            let why = "no answer to the opening handshake in time";
            return Record::not_open(case, (text, String::new()), why, start.elapsed());
        }
    };
    let heads = (text, message::text(&head.fields));
    match check_connect(&head, case.offers()) {
        Ok(agreed) => {
            let played = play(stream, &[], Role::Server, agreed, case, patience).await;
            Record::played(case, heads, played, start.elapsed())
        }
        Err(e) => Record::not_open(case, heads, &e, start.elapsed()),
    }
}

/// Reads a head and returns it with its text and the bytes that follow it.
///
/// # Errors
/// The connection ends, or the received bytes are no head.
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
            Ok(0) => return Err("the connection ended during the opening handshake".to_owned()),
            Ok(_) => {}
            Err(e) => return Err(format!("the connection broke during the opening handshake: {e}")),
        }
    }
}
