//! What a connection holds has one number and one limit.

use std::sync::Arc;

use bytes::Buf;
use ws_core::{CloseCause, CloseCode, Config, Connection, Event, Message, ProtocolError, SendError};

fn receive(connection: &mut Connection, bytes: &[u8]) -> Result<usize, ProtocolError> {
    let mut bytes = bytes.to_vec();
    let mut input = bytes.as_mut_slice();
    let mut events = 0;
    while connection.receive(&mut input)?.is_some() {
        events += 1;
    }
    Ok(events)
}

#[test]
fn every_kind_of_memory_is_counted_in_its_field_until_freed() {
    let mut client = Connection::client(Arc::new(Config::client()), [3; 32]);
    assert_eq!(client.memory_usage().total(), 0);
    assert!(client.holds_nothing());
    // Half a message: ten of twenty bytes, and half a ping in between would be illegal, so before it.
    assert_eq!(receive(&mut client, b"\x89\x05ab"), Ok(0));
    assert!(client.memory_usage().control >= 2);
    assert!(!client.holds_nothing(), "a part of a ping");
    assert_eq!(receive(&mut client, b"cde"), Ok(1));
    assert_eq!(receive(&mut client, b"\x82\x140123456789"), Ok(0));
    assert!(client.memory_usage().assembled >= 10);
    assert!(client.memory_usage().control > 0, "the pong waits");
    assert!(!client.holds_nothing(), "a pong and a part of a message");
    client.send_binary(&[0; 100]).unwrap();
    client.send(Message::binary(vec![0; 50_000])).unwrap();
    assert!(client.memory_usage().queued >= 50_100);
    assert_eq!(client.memory_usage().total(), client.memory_usage().total());
    assert_eq!(receive(&mut client, b"0123456789"), Ok(1));
    let mut output = client.output();
    output.advance(output.remaining());
    assert!(!client.holds_nothing(), "the buffer for what is sent");
    let _ = client.reclaim_buffer();
    assert_eq!(client.memory_usage().total(), 0);
    assert!(client.holds_nothing());
    client.set_held(1);
    assert!(!client.holds_nothing(), "the transport holds a byte");
}

#[cfg(feature = "deflate")]
#[test]
fn windows_and_what_is_being_inflated_are_charged() {
    use ws_core::deflate::{self, Agreed, PerMessageDeflate};

    let mut config = deflate::Config::server();
    config.threshold = 0;
    let mut server = Connection::server(Arc::new(Config::server()))
        .with_deflate(PerMessageDeflate::server(Agreed::PLAIN, &config));
    let mut client = Connection::client(Arc::new(Config::client()), [3; 32])
        .with_deflate(PerMessageDeflate::client(Agreed::PLAIN, &config));
    server.send_text(&(0..2000).map(|n| n.to_string()).collect::<String>()).unwrap();
    let sending = server.memory_usage();
    assert!(sending.inflated > 0, "a window of what was sent: {sending:?}");
    assert!(!server.holds_nothing());
    assert_eq!(sending.total(), server.memory_usage().total());
    let mut output = server.output();
    let frame = output.copy_to_bytes(output.remaining());
    let (half, _) = frame.split_at(frame.len() / 2);
    assert_eq!(receive(&mut client, half), Ok(0));
    let receiving = client.memory_usage();
    assert!(receiving.inflated >= 1000, "half of the message: {receiving:?}");
    assert_eq!(receiving.total(), client.memory_usage().total());
}

#[test]
fn memory_that_the_peer_occupies_ends_at_the_limit() {
    let mut config = Config::client();
    config.max_memory = Some(100_000);
    let mut client = Connection::client(Arc::new(config), [3; 32]);
    receive(&mut client, b"\x82\x7F\0\0\0\0\0\x0F\0\0").unwrap();
    let error = loop {
        match receive(&mut client, &[1; 1000]) {
            Ok(_) => assert!(client.memory_usage().total() <= 100_000),
            Err(error) => break error,
        }
    };
    assert_eq!(error, ProtocolError::MemoryLimit { limit: 100_000 });
    assert_eq!(error.close_code().0, 1009);
}

#[test]
fn memory_equal_to_the_limit_is_allowed_and_with_an_empty_queue_a_message_can_still_be_sent() {
    let mut config = Config::client();
    config.max_memory = Some(100_000);
    let mut client = Connection::client(Arc::new(config), [3; 32]);
    receive(&mut client, b"\x82\x7F\0\0\0\0\0\x0F\0\0").unwrap();
    assert_eq!(receive(&mut client, &[1; 100_000]), Ok(0));
    assert_eq!(client.memory_usage().total(), 100_000);
    client.send_text("answer").unwrap();
    assert_eq!(client.send_text("another"), Err(SendError::MemoryFull { limit: 100_000 }));
}

#[test]
fn sends_are_refused_at_the_limit_until_something_is_written() {
    let mut config = Config::server();
    config.max_memory = Some(100_000);
    let mut server = Connection::server(Arc::new(config));
    let big = Message::binary(vec![1; 200_000]);
    // One message may pass over it: otherwise it could never be sent.
    server.send(big.clone()).unwrap();
    assert_eq!(server.send_text("more"), Err(SendError::MemoryFull { limit: 100_000 }));
    assert_eq!(server.ping(b""), Err(SendError::MemoryFull { limit: 100_000 }));
    let mut output = server.output();
    output.advance(150_000);
    server.send_text("more").unwrap();
    let mut output = server.output();
    let rest = output.copy_to_bytes(output.remaining());
    assert!(rest.ends_with(b"more"));
}

#[test]
fn borrowed_messages_charge_nothing() {
    let mut server = Connection::client(Arc::new(Config::client()), [3; 32]);
    let mut bytes = b"\x82\x040123\x81\x02hi".to_vec();
    let mut input = bytes.as_mut_slice();
    let first = server.receive(&mut input).unwrap();
    assert!(matches!(first, Some(Event::Binary(_))));
    assert_eq!(server.memory_usage().total(), 0);
}

#[test]
fn the_default_memory_limit_grows_with_the_other_limits() {
    let mut config = Config::server();
    config.max_message_size = 64 << 20;
    // A message in a buffer that has just doubled, and its echo queued.
    assert!(config.memory_bound() > 2 * (64 << 20));
    config.max_message_size = u64::MAX;
    assert_eq!(config.memory_bound(), usize::MAX);
    config.max_memory = Some(1 << 20);
    assert_eq!(config.memory_bound(), 1 << 20);
    config.max_memory = Some(1000);
    assert_eq!(config.check().unwrap_err().setting, "max_memory");
}

#[test]
fn a_connection_that_gives_way_fails_with_1013_and_drops_the_message_it_has_received_a_part_of() {
    let mut server = Connection::server(Arc::new(Config::server()));
    assert_eq!(server.unfinished(), 0);
    let part = [&b"\x02\xfe\x40\x00\0\0\0\0"[..], &[7; 0x4000]].concat();
    assert_eq!(receive(&mut server, &part), Ok(0));
    assert!(server.unfinished() >= 0x4000);
    assert!(server.give_way());
    assert_eq!((server.unfinished(), server.memory_usage().assembled), (0, 0));
    let mut output = server.output();
    let close = output.copy_to_bytes(output.remaining());
    assert_eq!(close[..4], [0x88, close.len() as u8 - 2, 0x03, 0xf5]);
    let info = server.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::Protocol(ProtocolError::MemoryShort));
    assert_eq!(info.sent, Some(CloseCode::TRY_AGAIN_LATER));
    // Nothing more counts: it cannot do so again.
    assert!(!server.give_way());
}

#[test]
fn a_connection_that_closes_gives_way_without_a_second_close() {
    let mut server = Connection::server(Arc::new(Config::server()));
    server.close(CloseCode::GOING_AWAY, "").unwrap();
    let queued = server.queued();
    assert!(server.give_way());
    assert_eq!(server.queued(), queued);
    let mut peers = Connection::server(Arc::new(Config::server()));
    assert_eq!(receive(&mut peers, b"\x88\x80\0\0\0\0"), Ok(1));
    assert!(!peers.give_way(), "the peer has closed");
}

#[cfg(feature = "deflate")]
#[test]
fn what_a_message_in_parts_has_inflated_to_is_unfinished_and_its_window_is_not() {
    use ws_core::deflate::{self, Agreed, PerMessageDeflate};

    let config = deflate::Config::server();
    let mut server = Connection::server(Arc::new(Config::server()))
        .with_deflate(PerMessageDeflate::server(Agreed::PLAIN, &config));
    let mut client = Connection::client(Arc::new(Config::client()), [3; 32])
        .with_deflate(PerMessageDeflate::client(Agreed::PLAIN, &config));
    client.send_binary(&[0; 500_000]).unwrap();
    let mut output = client.output();
    let mut part = output.copy_to_bytes(output.remaining()).to_vec();
    assert!(part.len() < 6000, "{} bytes", part.len());
    // FIN is cleared: more of the message is to come.
    part[0] &= 0x7f;
    assert_eq!(receive(&mut server, &part), Ok(0));
    assert!(server.unfinished() >= 400_000, "{}", server.unfinished());
    assert_eq!(receive(&mut server, b"\x80\x80\0\0\0\0"), Ok(1));
    assert_eq!(server.unfinished(), 0);
    assert!(server.memory_usage().inflated > 0, "the window");
}
