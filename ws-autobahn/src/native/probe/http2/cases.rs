//! Section 26 (servers) and 27 (clients): WebSockets over HTTP/2. Each file specifies what is sent, which events are
//! accepted, and the rule.

mod client_sessions;
mod clients;
mod connections;
mod data;
mod ends;
mod negotiation;
mod requests;
mod windows;

pub(super) use clients::PERMIT;

use super::{
    Fields,
    building::{http2_client, http2_server},
};
use crate::{
    native::{
        frame::{CLOSE, Frame, close_body, frame},
        http2::frames::PROTOCOL_ERROR,
        probe::{Building, Want, many, maybe, opens, status},
        script::{Case, Script},
    },
    role::Role,
};

/// The content of small messages.
const HELLO: &str = "Hello, world!";

/// Returns all cases over HTTP/2 for a role, in order.
pub(crate) fn all(role: Role) -> Vec<Case> {
    let mut cases = [
        requests::cases(),
        negotiation::cases(),
        data::cases(),
        ends::cases(),
        windows::cases(),
        connections::cases(),
        clients::cases(),
        client_sessions::cases(),
    ]
    .concat();
    cases.retain(|case| matches!(&case.script, Script::Probe(probe) if probe.tested == role));
    cases.sort_by_key(|case| case.id);
    cases
}

const OTHERS: &str = "RFC 9113 section 5.4.2: an error of one stream does not affect the others";

/// The server resets the stream with one of these codes.
fn aborts(codes: &'static [u32]) -> Want {
    Want::Aborted(codes)
}

/// The stream ends by RST_STREAM of any kind.
fn aborted() -> Want {
    Want::Aborted(&[])
}

/// A Close with 1000.
fn close() -> Frame {
    frame(CLOSE, close_body(1000, b""))
}

impl Building {
    /// Accepts that the request is treated as malformed (RFC 9113 section 8.1.1): by a stream error, or by a client
    /// error, after which the connection serves other streams. An error of the connection is INFORMATIONAL.
    fn malformed(self) -> Building {
        self.over()
            .beside(1)
            .must([aborts(&[PROTOCOL_ERROR]), Want::Neighbour])
            .must([status(400..=499), many(Want::EndStream), maybe(aborted()), Want::Neighbour])
            .should([aborted(), Want::Neighbour])
            // RFC 9113 section 5.4.1: "an endpoint MAY choose to treat a stream error as a connection error".
            .reported([maybe(aborted()), maybe(Want::GoAway(&[])), Want::Gone, Want::Rest])
    }

    /// Accepts an error of the connection with one of these codes (RFC 9113 section 5.4.1), after these events.
    fn fatal(self, before: &[Want], codes: &'static [u32]) -> Building {
        let of = |after: &[Want]| [before, after].concat();
        self.must(of(&[many(aborted()), Want::GoAway(codes), many(aborted()), Want::Gone])).should(of(&[
            many(aborted()),
            many(Want::GoAway(&[])),
            many(aborted()),
            Want::Gone,
        ]))
    }

    /// Accepts that the WebSocket opens and echoes.
    fn echoes_hello(self) -> Building {
        use crate::native::{frame::text, probe::echoes};
        self.send(text(HELLO)).must([opens(), echoes(HELLO)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::probe::cases::tests::check;

    #[test]
    fn every_case_over_http_2_has_a_distinct_id_a_rule_and_an_expectation() {
        for role in Role::ALL {
            check(role, &all(role));
        }
    }

    #[test]
    fn rfc_8441_has_as_many_cases_as_the_readme_says() {
        assert_eq!(Role::ALL.map(|role| all(role).len()), [143, 59]);
    }
}
