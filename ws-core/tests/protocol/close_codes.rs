//! Close frames received and sent, every code: RFC 6455 sections 5.5.1 and 7.4.

use crate::support::miri::few_or;
use crate::support::{
    CLOSE, KEY, ROLES, close_body, config, frame, frames_from, give, open, receive, sent_to, written,
};
use ws_core::{CloseCause, CloseCode, CloseFrame, Event, Initiator, ProtocolError, Role, SendError};

/// Whether a code may stand in a Close frame: sections 7.4.1 and 7.4.2, and the IANA registry up to 1014.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[test]
fn every_received_code_is_echoed_or_fails_with_1002() {
    for role in ROLES {
        for code in (0..=u16::MAX).step_by(few_or(997, 1)) {
            let mut connection = open(role, &config());
            let got = give(&mut connection, &sent_to(role, CLOSE, &code.to_be_bytes()));
            let answers = frames_from(role, &written(&mut connection));
            let info = connection.close_info().unwrap();
            assert_eq!((answers.len(), info.initiator), (1, Initiator::Remote));
            assert_eq!(answers[0].0, CLOSE);
            if may_be_sent(code) {
                let frame = CloseFrame { code: CloseCode(code), reason: "".into() };
                assert_eq!(got, Ok(vec![Event::Close(Some(frame))]));
                assert_eq!(answers[0].1, code.to_be_bytes(), "the answer has the same code and no reason");
                assert_eq!(info.cause, CloseCause::Handshake);
                assert_eq!((info.sent, info.received), (Some(CloseCode(code)), Some(CloseCode(code))));
            } else {
                let error = ProtocolError::InvalidCloseCode(code);
                assert_eq!(got, Err(error));
                assert_eq!(answers[0].1[..2], 1002u16.to_be_bytes());
                assert_eq!(info.cause, CloseCause::Protocol(error));
                assert_eq!((info.sent, info.received), (Some(CloseCode::PROTOCOL_ERROR), None));
            }
        }
    }
}

#[test]
fn every_code_to_send_is_queued_or_refused() {
    for role in ROLES {
        for code in (0..=u16::MAX).step_by(few_or(997, 1)) {
            let mut connection = open(role, &config());
            let result = connection.close(CloseCode(code), "r");
            if may_be_sent(code) {
                assert_eq!(result, Ok(()));
                let sent = frames_from(role, &written(&mut connection));
                assert_eq!(sent, [(CLOSE, close_body(code, b"r"))]);
                assert!(!connection.is_open());
            } else {
                assert_eq!(result, Err(SendError::InvalidCloseCode(code)));
                assert!(connection.is_open() && connection.queued() == 0, "nothing is queued");
            }
        }
    }
}

#[test]
fn an_empty_close_is_answered_with_an_empty_one() {
    for role in ROLES {
        let got = receive(role, &sent_to(role, CLOSE, b""));
        assert_eq!(got.events, [Event::Close(None)]);
        assert_eq!(got.answers, [(CLOSE, vec![])]);
        let info = got.close_info.unwrap();
        assert_eq!(info.code(), CloseCode::NO_STATUS_RECEIVED);
        assert_eq!(info.sent, Some(CloseCode::NO_STATUS_RECEIVED));
    }
}

#[test]
fn a_one_byte_close_body_fails_with_1002_at_the_header() {
    for role in ROLES {
        let got = receive(role, &sent_to(role, CLOSE, b"\x03"));
        assert_eq!(got.error, Some(ProtocolError::InvalidCloseLength));
        assert_eq!(got.answers[0].1[..2], 1002u16.to_be_bytes());
        assert_eq!(got.decided_at, Some(2));
    }
    assert_eq!(CloseFrame::parse(b"\x03"), Err(ProtocolError::InvalidCloseLength));
}

#[test]
fn a_received_reason_of_123_bytes_is_reported_and_one_byte_more_does_not_fit() {
    for role in ROLES {
        let reason = "é".repeat(61) + "x";
        let got = receive(role, &sent_to(role, CLOSE, &close_body(4000, reason.as_bytes())));
        let frame = CloseFrame { code: CloseCode(4000), reason: reason.as_str().into() };
        assert_eq!(got.events, [Event::Close(Some(frame))]);
        assert_eq!(got.answers, [(CLOSE, 4000u16.to_be_bytes().to_vec())]);
        assert_eq!(&*got.close_info.unwrap().reason, reason);

        let got = receive(role, &sent_to(role, CLOSE, &close_body(4000, &[b'x'; 124])));
        assert_eq!(got.error, Some(ProtocolError::ControlTooLong));
        assert_eq!(got.decided_at, Some(2));
    }
}

#[test]
fn a_forbidden_code_fails_at_its_second_byte_before_the_reason() {
    let stream = sent_to(Role::Client, CLOSE, &close_body(1005, b"reason"));
    let got = receive(Role::Client, &stream);
    assert_eq!(got.error, Some(ProtocolError::InvalidCloseCode(1005)));
    assert_eq!(got.decided_at, Some(4));
}

#[test]
fn a_reason_that_is_not_utf8_fails_with_1007_at_the_byte() {
    // Bytes, and how many of them prove it.
    let cases: [(&[u8], usize); 6] = [
        (b"ok\xFF later", 3),
        (b"\xC3(", 2),
        (b"\xED\xA0\x80", 2),
        (b"\xF0\x80 ", 2),
        (b"\xF4\x90", 2),
        (b"cut \xE2\x82", 6),
    ];
    for role in ROLES {
        for (reason, proof) in cases {
            let stream = sent_to(role, CLOSE, &close_body(1000, reason));
            let got = receive(role, &stream);
            assert_eq!(got.error, Some(ProtocolError::InvalidUtf8));
            assert_eq!(got.answers[0].1[..2], 1007u16.to_be_bytes());
            assert_eq!(got.decided_at, Some(stream.len() - reason.len() + proof), "{reason:x?}");
            assert_eq!(got.events, []);
        }
    }
}

#[test]
fn a_reason_to_send_has_at_most_123_bytes() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let long = "x".repeat(124);
        assert_eq!(connection.close(CloseCode::NORMAL_CLOSURE, &long), Err(SendError::ReasonTooLong(124)));
        assert!(connection.is_open() && connection.queued() == 0);
        connection.close(CloseCode::NORMAL_CLOSURE, &long[1..]).unwrap();
        let sent = frames_from(role, &written(&mut connection));
        assert_eq!(sent, [(CLOSE, close_body(1000, &long.as_bytes()[1..]))]);
    }
}

#[test]
fn a_close_without_a_code_has_no_body() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.close_without_code().unwrap();
        assert_eq!(frames_from(role, &written(&mut connection)), [(CLOSE, vec![])]);
        give(&mut connection, &sent_to(role, CLOSE, b"")).unwrap();
        let info = connection.close_info().unwrap();
        assert_eq!(
            (info.sent, info.received),
            (Some(CloseCode::NO_STATUS_RECEIVED), Some(CloseCode::NO_STATUS_RECEIVED))
        );
    }
}

#[test]
fn every_failure_has_a_close_frame_within_the_limits_of_one() {
    let mut config = config();
    config.max_message_size = u64::MAX;
    config.max_stream_size = u64::MAX;
    let longest = frame(0x82, b"", Some(KEY));
    for first in (0..=255u8).step_by(few_or(17, 1)) {
        for second in [0, 1, 126, 127, 128, 129, 254, 255u8] {
            for role in ROLES {
                let mut connection = open(role, &config);
                let bytes = [&[first, second, 0xFF, 0xFF], longest.as_slice()].concat();
                if give(&mut connection, &bytes).is_err() {
                    let answers = frames_from(role, &written(&mut connection));
                    let (opcode, body) = answers.last().unwrap();
                    assert_eq!(*opcode, CLOSE);
                    assert!(body.len() <= 125 && CloseFrame::parse(body).unwrap().is_some());
                }
            }
        }
    }
}

#[test]
fn a_code_is_a_number_and_prints_as_one() {
    for code in [0, 1000, 4999, u16::MAX] {
        assert_eq!(u16::from(CloseCode::from(code)), code);
        assert_eq!(CloseCode(code).to_string(), code.to_string());
        assert_eq!(format!("{:?}", CloseCode(code)), format!("CloseCode({code})"));
    }
}
