//! The body of a refusal as a client reads it: framing, limits, chunks.

use http::Request;
use ws_core::handshake::{BodyFraming, BodyProgress, BodyReader, ClientHandshake, HandshakeError, Refused};

fn refused(head: &str) -> Refused {
    let request = Request::get("ws://h").body(()).unwrap();
    let mut handshake = ClientHandshake::new(request, &[], None, [0; 16]).unwrap();
    match handshake.receive(format!("{head}\r\n\r\n").as_bytes()) {
        Err(HandshakeError::Refused(refused)) => *refused,
        other => panic!("{other:?}"),
    }
}

/// Feeds the bytes whole, one at a time and split at every place: always with the same result.
fn read(framing: BodyFraming, limit: usize, bytes: &[u8]) -> (BodyProgress, String) {
    let run = |pieces: &[&[u8]]| {
        let mut reader = BodyReader::new(framing, limit);
        for piece in pieces {
            reader.receive(piece);
        }
        (reader.progress(), String::from_utf8(reader.into_body()).unwrap())
    };
    let whole = run(&[bytes]);
    let singles: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(run(&singles), whole, "one byte at a time: {bytes:?}");
    for place in 0..=bytes.len() {
        let (a, b) = bytes.split_at(place);
        assert_eq!(run(&[a, b]), whole, "split at {place}: {bytes:?}");
    }
    whole
}

#[test]
fn the_framing_follows_rfc_9112_section_6_3() {
    for (head, framing) in [
        ("HTTP/1.1 404 x\r\nContent-Length: 12", BodyFraming::Length(12)),
        ("HTTP/1.1 404 x\r\nContent-Length: 12\r\nContent-Length: 12", BodyFraming::Length(12)),
        ("HTTP/1.1 404 x\r\nContent-Length: 12, 12", BodyFraming::Length(12)),
        ("HTTP/1.1 404 x\r\nContent-Length: 12\r\nContent-Length: 13", BodyFraming::Invalid),
        ("HTTP/1.1 404 x\r\nContent-Length: +12", BodyFraming::Invalid),
        ("HTTP/1.1 404 x\r\nContent-Length: 99999999999999999999", BodyFraming::Invalid),
        ("HTTP/1.1 404 x\r\nContent-Length:", BodyFraming::Invalid),
        ("HTTP/1.1 404 x\r\nTransfer-Encoding: Chunked", BodyFraming::Chunked),
        ("HTTP/1.1 404 x\r\nTransfer-Encoding: gzip, chunked", BodyFraming::Chunked),
        ("HTTP/1.1 404 x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked", BodyFraming::Chunked),
        ("HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3", BodyFraming::Chunked),
        ("HTTP/1.1 404 x\r\nTransfer-Encoding: gzip", BodyFraming::UntilClose),
        ("HTTP/1.0 404 x\r\nTransfer-Encoding: chunked", BodyFraming::Invalid),
        ("HTTP/1.1 404 x", BodyFraming::UntilClose),
        ("HTTP/1.1 204 x\r\nContent-Length: 3", BodyFraming::None),
        ("HTTP/1.1 304 x\r\nContent-Length: 3", BodyFraming::None),
    ] {
        assert_eq!(refused(head).framing, framing, "{head}");
    }
}

#[test]
fn a_body_with_a_length_ends_there() {
    let (partial, complete) = (BodyProgress::Partial, BodyProgress::Complete);
    assert_eq!(read(BodyFraming::Length(5), 100, b"hel"), (partial, "hel".into()));
    assert_eq!(read(BodyFraming::Length(5), 100, b"hello"), (complete, "hello".into()));
    assert_eq!(read(BodyFraming::Length(5), 100, b"hello more"), (complete, "hello".into()));
    assert_eq!(read(BodyFraming::Length(0), 100, b"more"), (complete, String::new()));
    assert_eq!(read(BodyFraming::None, 100, b"more"), (complete, String::new()));
    assert_eq!(read(BodyFraming::Invalid, 100, b"more"), (BodyProgress::Malformed, String::new()));
}

#[test]
fn a_body_is_cut_off_at_the_limit() {
    let limit = BodyProgress::LimitReached;
    assert_eq!(read(BodyFraming::Length(5), 5, b"hello"), (BodyProgress::Complete, "hello".into()));
    assert_eq!(read(BodyFraming::Length(5), 4, b"hello"), (limit, "hell".into()));
    assert_eq!(read(BodyFraming::Length(u64::MAX), 4, b"hello"), (limit, "hell".into()));
    assert_eq!(read(BodyFraming::UntilClose, 5, b"hello"), (BodyProgress::Partial, "hello".into()));
    assert_eq!(read(BodyFraming::UntilClose, 4, b"hello"), (limit, "hell".into()));
    assert_eq!(read(BodyFraming::Chunked, 4, b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), (limit, "hell".into()));
    assert_eq!(BodyReader::DEFAULT_LIMIT, 65536);
}

#[test]
fn chunks_are_put_together() {
    for (bytes, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n4\r\nello\r\n000\r\n\r\nmore", "hello"),
        ("A\r\n0123456789\r\n0b\r\n0123456789x\r\n0\r\n\r\n", "01234567890123456789x"),
        ("2;name=value\r\nhi\r\n0 ; x=\"y\"\r\n\r\n", "hi"),
        ("2 \t\r\nhi\r\n0\t\r\n\r\n", "hi"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("2\r\nhi\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", "hi"),
    ] {
        assert_eq!(read(BodyFraming::Chunked, 100, bytes.as_bytes()), (BodyProgress::Complete, body.into()));
    }
    for (bytes, body) in
        [("", ""), ("5\r\nhel", "hel"), ("2\r\nhi\r\n0\r\n", "hi"), ("2\r\nhi\r\n0\r\n\r", "hi")]
    {
        assert_eq!(read(BodyFraming::Chunked, 100, bytes.as_bytes()), (BodyProgress::Partial, body.into()));
    }
}

#[test]
fn malformed_chunks_end_the_body_and_keep_what_came_before() {
    for (bytes, body) in [
        ("\r\n", ""),
        ("x\r\n", ""),
        ("-1\r\n", ""),
        ("+1\r\nx", ""),
        ("1\nx", ""),
        ("1\rx", ""),
        ("1x\r\n", ""),
        ("2\r\nhiX", "hi"),
        ("2\r\nhi\rX", "hi"),
        ("2\r\nhi\n", "hi"),
        ("2;\n", ""),
        ("1 2\r\nx", ""),
        ("0\t chunked\r\n\r\n", ""),
        ("0\rx", ""),
        ("0\r\nX: \x01", ""),
        ("0\r\n\rX", ""),
        ("0\r\nX\r\r", ""),
        ("10000000000000000\r\nx", ""),
    ] {
        assert_eq!(
            read(BodyFraming::Chunked, 9, bytes.as_bytes()),
            (BodyProgress::Malformed, body.into()),
            "{bytes:?}"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are the point")]
fn bytes_that_add_nothing_to_the_body_come_to_an_end() {
    for endless in [
        "0".repeat(300_000),
        format!("1;{}", "x".repeat(300_000)),
        format!("1{}", " ".repeat(300_000)),
        format!("0\r\n{}", "x".repeat(300_000)),
    ] {
        let mut reader = BodyReader::new(BodyFraming::Chunked, 100);
        assert_eq!(reader.receive(endless.as_bytes()), BodyProgress::Malformed);
    }
    // The shortest chunks there are stay within that bound.
    let mut reader = BodyReader::new(BodyFraming::Chunked, BodyReader::DEFAULT_LIMIT);
    let chunks = "1\r\nx\r\n".repeat(BodyReader::DEFAULT_LIMIT) + "0\r\n\r\n";
    assert_eq!(reader.receive(chunks.as_bytes()), BodyProgress::Complete);
    assert_eq!(reader.into_body().len(), BodyReader::DEFAULT_LIMIT);
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are the point")]
fn as_many_bytes_that_add_nothing_as_the_bound_pass_and_one_more_does_not() {
    for (ignored, progress) in
        [(256 << 10, BodyProgress::Complete), ((256 << 10) + 1, BodyProgress::Malformed)]
    {
        let mut reader = BodyReader::new(BodyFraming::Chunked, 100);
        // The last chunk's size and extension, all of it without an effect.
        let last_chunk = format!("0;{}\r\n\r\n", "x".repeat(ignored - 2));
        assert_eq!(reader.receive(last_chunk.as_bytes()), progress, "{ignored} bytes");
    }
}

#[test]
fn a_body_is_attached_to_the_response_it_belongs_to() {
    let mut answer = refused("HTTP/1.1 403 x\r\nContent-Length: 5");
    assert!(!answer.body_complete);
    let mut reader = answer.body_reader(100);
    assert_eq!(reader.receive(b"hello"), BodyProgress::Complete);
    answer.attach(reader, false);
    assert_eq!((answer.response.body().as_slice(), answer.body_complete), (&b"hello"[..], true));

    let mut answer = refused("HTTP/1.1 403 x\r\nContent-Length: 5");
    let mut reader = answer.body_reader(100);
    reader.receive(b"hel");
    answer.attach(reader, true);
    assert_eq!((answer.response.body().as_slice(), answer.body_complete), (&b"hel"[..], false));

    let mut answer = refused("HTTP/1.1 403 x");
    for end_of_stream in [false, true] {
        let mut reader = answer.body_reader(100);
        reader.receive(b"hello");
        answer.attach(reader, end_of_stream);
        assert_eq!(answer.body_complete, end_of_stream);
    }
    let mut reader = answer.body_reader(4);
    reader.receive(b"hello");
    answer.attach(reader, true);
    assert_eq!((answer.response.body().as_slice(), answer.body_complete), (&b"hell"[..], false));

    assert!(refused("HTTP/1.1 403 x\r\nContent-Length: 0").body_complete);
    assert!(refused("HTTP/1.1 204 x").body_complete);
    assert!(!refused("HTTP/1.1 403 x\r\nContent-Length: -1").body_complete);
}
