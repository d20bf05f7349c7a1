//! Echo on plain blocking sockets: `std::net`, a thread for each connection, no async runtime.
//!
//! `cargo run -p ws-core --example blocking -- 127.0.0.1:9002`

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Buf;
use http::StatusCode;
use ws_core::handshake::{Acceptance, HeadLimits, Opening, Refusal, RequestReader};
use ws_core::{CloseInfo, Config, Connection, Event, SendError, TransportEnd};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9002".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("echo on ws://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || match serve(stream) {
            Ok(Some(info)) => println!("{info}"),
            Ok(None) => println!("not a WebSocket"),
            Err(error) => println!("before it was open: {error}"),
        });
    }
    Ok(())
}

/// Serves one connection to its end, and tells how it ended; `None` if it never was a WebSocket.
///
/// # Errors
/// What the socket says during the opening handshake; later it is part of the `CloseInfo`.
pub fn serve(mut stream: TcpStream) -> io::Result<Option<CloseInfo>> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; HeadLimits::server().bytes];
    let Some((from, to)) = open(&mut stream, &mut buffer)? else { return Ok(None) };
    let mut connection = Connection::server(Arc::new(Config::server()));
    let epoch = Instant::now();
    // Frames may have come together with the head.
    let mut input = &mut buffer[from..to];
    loop {
        take(&mut stream, &mut connection, epoch, input)?;
        flush(&mut stream, &mut connection, epoch)?;
        if connection.wants_shutdown() {
            let _ = stream.shutdown(Shutdown::Write);
            connection.shutdown_done();
        }
        let wait = time_left(&mut connection, epoch);
        if connection.is_ended() {
            return Ok(connection.close_info());
        }
        stream.set_read_timeout(wait)?;
        let read = stream.read(&mut buffer);
        input = &mut buffer[..*read.as_ref().unwrap_or(&0)];
        match read {
            Ok(0) => connection.transport_ended(TransportEnd::Eof),
            Ok(_) => {}
            Err(error) => failed(&mut connection, epoch, &error),
        }
    }
}

/// The opening handshake, within ten seconds; tells where in `buffer` the first bytes of frames lie.
fn open(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<(usize, usize)>> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut reader = RequestReader::new(HeadLimits::server());
    let mut len = 0;
    let refusal = loop {
        match reader.receive(&buffer[..len]) {
            Ok(Some((Opening::Upgrade(upgrade), head))) => {
                let response = upgrade.accept(Acceptance::default()).map_err(io::Error::other)?;
                stream.write_all(&response)?;
                return Ok(Some((head, len)));
            }
            Ok(Some((Opening::Plain(_), _))) => {
                break Refusal::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket endpoint");
            }
            Ok(None) => {}
            Err(refusal) => break refusal,
        }
        let left = deadline.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut buffer[len..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => len += n,
        }
    };
    stream.write_all(&refusal.encode())?;
    stream.shutdown(Shutdown::Write)?;
    // Read on for a while: closing now, with bytes unread, would take the answer back.
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let deadline = Instant::now() + Duration::from_secs(1);
    while Instant::now() < deadline && stream.read(buffer).is_ok_and(|n| n > 0) {}
    Ok(None)
}

/// Echoes the messages in `input`.
fn take(
    stream: &mut TcpStream,
    connection: &mut Connection,
    epoch: Instant,
    mut input: &mut [u8],
) -> io::Result<()> {
    loop {
        // The event borrows the input, not the connection.
        let event = match connection.receive(&mut input) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(()),
            // The Close frame that tells the peer is queued; what follows in the input is thrown away.
            Err(_) => continue,
        };
        loop {
            let sent = match &event {
                Event::Text(text) => connection.send_text(text),
                Event::Binary(bytes) => connection.send_binary(bytes),
                // Pings are answered already.
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()),
            };
            match sent {
                Err(SendError::QueueFull { .. }) => flush(stream, connection, epoch)?,
                _ => break,
            }
        }
    }
}

/// Writes all that is queued.
fn flush(stream: &mut TcpStream, connection: &mut Connection, epoch: Instant) -> io::Result<()> {
    while connection.output().has_remaining() {
        stream.set_write_timeout(time_left(connection, epoch))?;
        let mut output = connection.output();
        let mut slices = [IoSlice::new(&[]); 16];
        let used = output.chunks_vectored(&mut slices);
        match stream.write_vectored(&slices[..used]) {
            Ok(n) => output.advance(n),
            Err(error) => failed(connection, epoch, &error),
        }
    }
    Ok(())
}

/// Deals with a deadline that has come; tells how long it is to the next one.
fn time_left(connection: &mut Connection, epoch: Instant) -> Option<Duration> {
    let now = epoch.elapsed();
    let at = connection.next_timeout(now)?;
    if at <= now {
        connection.handle_timeout(now);
    }
    // A socket takes no timeout of zero.
    Some(at.saturating_sub(now).max(Duration::from_millis(1)))
}

/// What an error of the socket says: that time is up, or how the transport ended.
fn failed(connection: &mut Connection, epoch: Instant, error: &io::Error) {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => connection.handle_timeout(epoch.elapsed()),
        ErrorKind::Interrupted => {}
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            connection.transport_ended(TransportEnd::Reset);
        }
        _ => connection.transport_ended(TransportEnd::Failed),
    }
}
