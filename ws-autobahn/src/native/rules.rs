//! What a peer may send: the rules by which the suite checks received frames.

use crate::{
    native::frame::{BINARY, CLOSE, CONTINUATION, Header, PING, PONG, TEXT},
    role::Role,
};

/// Checks the header of a frame of the tested peer; `deflate` is whether permessage-deflate was agreed, `inside`
/// whether a message has begun and not ended.
///
/// # Errors
/// A description of the invalid frame.
pub(crate) fn head(header: &Header, tested: Role, deflate: bool, inside: bool) -> Result<(), String> {
    let compressed = header.rsv == 4 && deflate;
    // RFC 6455 section 5.2; RFC 7692 section 6: RSV1 on the first frame of a message.
    if header.rsv != 0 && !compressed {
        return Err(format!("RSV = {} without an extension that defines it", header.rsv));
    }
    // RFC 6455 section 5.1.
    match (tested, header.mask) {
        (Role::Client, None) => return Err("a frame of a client that is not masked".to_owned()),
        (Role::Server, Some(_)) => return Err("a frame of a server that is masked".to_owned()),
        _ => {}
    }
    // RFC 6455 section 5.2.
    if !header.minimal || header.length > i64::MAX as u64 {
        return Err("a length that is not encoded in the fewest bytes, or above 2^63".to_owned());
    }
    match header.opcode {
        // RFC 6455 section 5.5.
        CLOSE | PING | PONG if !header.fin => Err("a fragmented control frame".to_owned()),
        CLOSE | PING | PONG if header.length > 125 => {
            Err("a control frame with more than 125 bytes".to_owned())
        }
        // RFC 7692 section 6.1.
        CLOSE | PING | PONG if compressed => Err("a control frame with RSV1".to_owned()),
        // RFC 6455 section 5.5.1.
        CLOSE if header.length == 1 => Err("a Close with a body of one byte".to_owned()),
        CLOSE | PING | PONG => Ok(()),
        // RFC 6455 section 5.4.
        CONTINUATION if !inside => Err("a continuation frame outside a message".to_owned()),
        TEXT | BINARY if inside => Err("a message inside another".to_owned()),
        // RFC 7692 section 6.1.
        CONTINUATION if compressed => Err("a continuation with RSV1".to_owned()),
        CONTINUATION | TEXT | BINARY => Ok(()),
        other => Err(format!("the reserved opcode {other}")),
    }
}

/// Whether a code may be in a Close (RFC 6455 sections 7.4.1 and 7.4.2, and the registry).
pub(crate) fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::frame::frame;

    fn head_of(bytes: &[u8]) -> Header {
        Header::read(bytes).unwrap().0
    }

    #[test]
    fn what_a_server_must_not_send_is_found() {
        let check = |bytes: &[u8], deflate, inside| head(&head_of(bytes), Role::Server, deflate, inside);
        let good = frame(TEXT, "a").encode(None);
        assert_eq!(check(&good, false, false), Ok(()));
        assert_eq!(check(&[0xc1, 1], true, false), Ok(()));
        for (bytes, deflate, inside, why) in [
            (&[0xc1, 1][..], false, false, "RSV = 4"),
            (&[0xa1, 1], true, false, "RSV = 2"),
            (&[0xc9, 1], true, false, "a control frame with RSV1"),
            (&[0xc0, 1], true, true, "a continuation with RSV1"),
            (&[0x81, 0x81, 0, 0, 0, 0], false, false, "masked"),
            (&[0x81, 126, 0, 1], false, false, "fewest bytes"),
            (&[0x09, 0], false, false, "fragmented"),
            (&[0x89, 126, 0, 126], false, false, "more than 125 bytes"),
            (&[0x88, 1], false, false, "a body of one byte"),
            (&[0x80, 0], false, false, "a continuation frame outside a message"),
            (&[0x81, 0], false, true, "a message inside another"),
            (&[0x83, 0], false, false, "opcode 3"),
            (&[0x8b, 0], false, false, "opcode 11"),
        ] {
            assert!(check(bytes, deflate, inside).unwrap_err().contains(why), "{bytes:?}");
        }
    }

    #[test]
    fn a_client_must_mask() {
        let check = |mask| head(&head_of(&frame(TEXT, "a").encode(mask)), Role::Client, false, false);
        assert_eq!(check(Some([0; 4])), Ok(()));
        assert!(check(None).unwrap_err().contains("not masked"));
    }

    #[test]
    fn close_codes_that_must_not_be_sent_are_found() {
        assert!([1000, 1003, 1007, 1014, 3000, 4999].into_iter().all(may_be_sent));
        assert!(![0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].into_iter().any(may_be_sent));
    }
}
