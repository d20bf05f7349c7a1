//! Any order of calls on one connection, with partial writes: what it writes is always valid, holds what was accepted in
//! order, at most one Close and nothing after it; and no deadline leaves a driver spinning.
#![no_main]

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use ws_core::DataType;
use ws_core::deflate::Agreed;
use ws_core::{CloseCode, Config, Connection, Keepalive, Message, Role, SendError, TransportEnd};
use ws_fuzz::reference::{self, Limits};
use ws_fuzz::stream::{self, Settings};
use ws_fuzz::{Input, Received, sample};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mut run = Run::new(&mut input);
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        run.operation(&mut input);
        run.check_state();
    }
    run.finish();
});

struct Run {
    connection: Connection,
    config: Arc<Config>,
    deflate: Option<Agreed>,
    /// What was accepted to be sent, whole messages and pings.
    accepted: Vec<Received>,
    message: Vec<u8>,
    written: Vec<u8>,
    now: Duration,
    spare: Option<Vec<u8>>,
    /// The transport takes no more bytes: what was queued is lost.
    write_failed: bool,
}

impl Run {
    fn new(input: &mut Input<'_>) -> Self {
        let role = input.pick(&[Role::Server, Role::Client]);
        let Settings { config, deflate, .. } = Settings::take(role, input);
        let mut config = Arc::unwrap_or_clone(config);
        config.max_frame_size = input.pick(&[256 << 10, 125, 126, 65_536]);
        config.max_queued = input.pick(&[1 << 20, 2, 1, 200, 70_000]);
        config.send_high_water = config.max_queued.min(64 << 10);
        config.keepalive = input.pick(&[
            Some(Keepalive::default()),
            None,
            Some(Keepalive::default().interval(Duration::from_secs(1)).timeout(Duration::from_secs(9))),
        ]);
        config.max_linger_bytes = input.pick(&[4 << 20, 1, 9]);
        config.delay_close_reply = config.max_frame_size == 126 || config.max_queued == 70_000;
        config.check().unwrap();
        let config = Arc::new(config);
        Self {
            connection: stream::connect(role, &config, deflate),
            config,
            deflate,
            accepted: Vec::new(),
            message: Vec::new(),
            written: Vec::new(),
            now: Duration::from_secs(1),
            spare: None,
            write_failed: false,
        }
    }

    fn operation(&mut self, input: &mut Input<'_>) {
        match input.byte() % 20 {
            0 => {
                let text = sample::text(input);
                let result = self.connection.send_text(&text);
                self.log(result, Received::Text(text));
            }
            1 => {
                let bytes = sample::bytes(input);
                let result = self.connection.send_binary(&bytes);
                self.log(result, Received::Binary(bytes));
            }
            2 => {
                let bytes = sample::bytes(input);
                let message = Message::binary(bytes.clone());
                // A client masks what others hold as it is written, and else in place.
                let _held = bytes.len().is_multiple_of(2).then(|| message.clone());
                let result = self.connection.send(message);
                self.log(result, Received::Binary(bytes));
            }
            3 => self.send_piece(input),
            4 => {
                let payload = sample::bytes(input);
                let result = self.connection.ping(&payload);
                self.log(result, Received::Ping(payload));
            }
            5 => {
                let payload = sample::bytes(input);
                let result = self.connection.pong(&payload);
                self.log(result, Received::Pong(payload));
            }
            6 => {
                let code = input.pick(&[1000, 0, 999, 1004, 1005, 1006, 1014, 1015, 2999, 3000, 4999, 5000]);
                let reason = sample::text(input);
                let legal = reference::is_close_code(code) && reason.len() <= 123;
                let open = self.connection.is_open();
                let result = self.connection.close(CloseCode(code), &reason);
                assert_eq!(result.is_ok(), legal && open, "{result:?}");
            }
            7 => {
                let open = self.connection.is_open();
                assert_eq!(self.connection.close_without_code().is_ok(), open);
            }
            8..=10 => {
                let mut bytes = {
                    let n = input.byte().into();
                    input.bytes(n)
                }
                .to_vec();
                let mut bytes = &mut bytes[..];
                while let Ok(Some(_)) = self.connection.receive(&mut bytes) {}
            }
            11 => {
                let mut bytes = {
                    let n = input.byte().into();
                    input.bytes(n)
                }
                .to_vec();
                let mut bytes = &mut bytes[..];
                while let Ok(Some(_)) = self.connection.receive_piece(&mut bytes) {}
            }
            12 => {
                let n = usize::from(input.byte());
                self.write(n);
            }
            13 => {
                let n = usize::from(input.byte()) * 300;
                self.write_vectored(n);
            }
            14 => self.write(usize::MAX),
            15 => {
                self.now += Duration::from_millis(input.pick(&[1, 500, 1000, 5000, 20_000, 30_000]));
                self.connection.handle_timeout(self.now);
                self.connection.next_timeout(self.now);
            }
            16 => self.wait(),
            17 => match self.spare.take() {
                None => self.spare = self.connection.reclaim_buffer(),
                Some(buffer) => self.connection.lend_buffer(buffer),
            },
            18 if self.connection.wants_shutdown() => self.connection.shutdown_done(),
            18 => {}
            _ => match input.byte() {
                0 => self.connection.abort(),
                1 => self.connection.transport_ended(TransportEnd::Eof),
                2 => self.connection.transport_ended(TransportEnd::Reset),
                3 => self.connection.set_unflushed(true),
                4 => self.connection.set_unflushed(false),
                5 => {
                    self.write_failed = true;
                    self.connection.write_failed(TransportEnd::Reset);
                }
                6 => {
                    self.connection.reply_to_close();
                    assert!(!self.connection.owes_close_reply());
                }
                _ => {}
            },
        }
    }

    fn log(&mut self, result: Result<(), SendError>, sent: Received) {
        match result {
            Ok(()) => self.accepted.push(sent),
            Err(SendError::Closing) => assert!(!self.connection.is_open()),
            Err(SendError::QueueFull { limit }) => {
                assert!(limit == self.config.max_queued && self.connection.queued() >= limit);
            }
            Err(SendError::MessageInProgress) => assert!(sent.is_data()),
            Err(SendError::ControlTooLong(len)) => assert!(len > 125 && !sent.is_data()),
            Err(error) => panic!("{error}"),
        }
    }

    fn send_piece(&mut self, input: &mut Input<'_>) {
        let control = input.byte();
        let data_type = if control & 1 == 0 { DataType::Text } else { DataType::Binary };
        let last = control & 2 != 0;
        let mut piece = sample::text(input).into_bytes();
        if control & 4 != 0 {
            // Half a character, or the other half.
            piece.truncate(piece.len() / 2);
        }
        if self.connection.send_piece(data_type, &piece, last).is_ok() {
            self.message.append(&mut piece);
            if last {
                let message = std::mem::take(&mut self.message);
                self.accepted.push(match data_type {
                    DataType::Text => {
                        Received::Text(String::from_utf8(message).expect("text that is not UTF-8 is sent"))
                    }
                    DataType::Binary => Received::Binary(message),
                });
            }
        }
    }

    /// Writes up to `limit` bytes, chunk by chunk.
    fn write(&mut self, mut limit: usize) {
        let mut output = self.connection.output();
        while limit > 0 && output.has_remaining() {
            let chunk = output.chunk();
            assert!(!chunk.is_empty(), "bytes remain and none are shown");
            let n = chunk.len().min(limit);
            self.written.extend_from_slice(&chunk[..n]);
            output.advance(n);
            limit -= n;
        }
        if limit > 0 {
            assert!(output.chunk().is_empty(), "nothing remains and bytes are shown");
        }
    }

    /// Writes up to `limit` bytes of a vectored write.
    fn write_vectored(&mut self, limit: usize) {
        let mut output = self.connection.output();
        let mut slices = [IoSlice::new(&[]); 5];
        let n = output.chunks_vectored(&mut slices);
        let bytes: Vec<u8> = slices[..n].iter().flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(bytes.is_empty(), !output.has_remaining());
        assert!(bytes.len() <= output.remaining());
        let n = bytes.len().min(limit);
        self.written.extend_from_slice(&bytes[..n]);
        output.advance(n);
    }

    /// Sleeps until the next deadline and sees to it, as a driver does.
    fn wait(&mut self) {
        let Some(deadline) = self.connection.next_timeout(self.now) else { return };
        self.now = self.now.max(deadline);
        self.connection.handle_timeout(self.now);
        let next = self.connection.next_timeout(self.now);
        assert!(next.is_none_or(|next| next > self.now), "a deadline stays due: the driver would spin");
    }

    fn check_state(&mut self) {
        if self.connection.is_ended() {
            assert_eq!(self.connection.queued(), 0);
            assert!(self.connection.close_info().is_some());
            assert_eq!(self.connection.next_timeout(self.now), None);
        }
        if self.connection.wants_shutdown() {
            assert_eq!(self.connection.queued(), 0);
        }
        if self.connection.owes_close_reply() {
            assert!(self.config.delay_close_reply && self.connection.close_info().is_none());
        }
        if let Some(info) = self.connection.close_info() {
            assert!(!info.is_clean() || info.sent.is_some() && info.received.is_some());
        }
    }

    fn finish(mut self) {
        let ended = self.connection.is_ended() || self.write_failed;
        while self.connection.queued() > 0 {
            let before = self.written.len();
            self.write(usize::MAX);
            assert!(self.written.len() > before, "bytes are queued and never shown");
        }
        let role = self.connection.role();
        let peer = stream::peer(role);
        let inflater = self.deflate.map(|agreed| stream::inflater(peer, agreed));
        let reading = reference::read(peer, Limits::NONE, inflater, &self.written);
        let heard = &reading.outcome.received;
        if !ended {
            assert_eq!(reading.unfinished, 0, "half a frame is written, or something after the Close");
        } else if heard.iter().any(|one| matches!(one, Received::Close(_))) {
            assert_eq!(reading.unfinished, 0, "something is written after the Close");
        }
        assert!(!matches!(reading.outcome.end, ws_fuzz::End::Failed(_)), "{:?}", reading.outcome.end);
        let frame_limit = self.config.max_frame_size as u64;
        assert!(reading.frames.iter().all(|(_, len)| *len <= frame_limit), "a frame over max_frame_size");

        let data = |log: &[Received]| log.iter().filter(|one| one.is_data()).cloned().collect::<Vec<_>>();
        let (accepted, heard_data) = (data(&self.accepted), data(heard));
        assert!(accepted.starts_with(&heard_data), "what is written is not what was accepted");
        if !ended {
            assert_eq!(accepted.len(), heard_data.len(), "a message is lost");
        }
        self.every_deadline_has_an_end();
    }

    /// Left alone, a connection that is closing comes to its end.
    fn every_deadline_has_an_end(&mut self) {
        if self.connection.is_open() && !self.connection.owes_close_reply() {
            return;
        }
        for _ in 0..100 {
            if self.connection.is_ended() {
                return;
            }
            if self.connection.wants_shutdown() {
                self.connection.shutdown_done();
            }
            self.wait();
        }
        panic!("a closing connection waits for ever");
    }
}

const MAX_OPERATIONS: usize = 64;
