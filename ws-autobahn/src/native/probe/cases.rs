//! The cases beyond Autobahn, by section. Each file specifies what is sent, which events are accepted, and the rule.

mod answers;
mod closing;
mod codes;
mod fields;
mod negotiation;
mod refused_answers;
mod request_line;
mod robustness;

use super::http2;
use crate::{
    native::{
        script::{Case, Script},
        target::Version,
    },
    role::Role,
};

/// The content of small messages.
const HELLO: &str = "Hello, world!";

/// Returns all cases beyond Autobahn for a role, in order.
pub(super) fn all(role: Role) -> Vec<Case> {
    let mut cases = [
        request_line::cases(),
        fields::cases(),
        negotiation::cases(),
        answers::cases(),
        refused_answers::cases(),
        closing::cases(),
        codes::cases(),
        robustness::cases(),
    ]
    .concat();
    cases.retain(|case| matches!(&case.script, Script::Probe(probe) if probe.tested == role));
    cases.sort_by_key(|case| case.id);
    cases
}

/// Returns the cases beyond Autobahn for a role over a version of HTTP, in order.
pub(crate) fn of(role: Role, version: Version) -> Vec<Case> {
    match version {
        Version::Http1 => all(role),
        Version::Http2 => [on_streams(role), http2::cases::all(role)].concat(),
    }
}

/// Returns the cases of sections 24 and 25 that are about an open connection, each on a stream of HTTP/2. Section 23 is
/// about the end of TCP connections; sections 26.5 and 27.5 are about that of streams.
fn on_streams(role: Role) -> Vec<Case> {
    let cases = all(role).into_iter().filter(|case| matches!(case.id.section, 24 | 25));
    cases.filter_map(http2::on_a_stream).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Checks that every case has a distinct id, a rule and an expectation.
    pub(in crate::native::probe) fn check(role: Role, cases: &[Case]) {
        assert!(cases.windows(2).all(|pair| pair[0].id != pair[1].id), "an id is used twice");
        for case in cases {
            let Script::Probe(probe) = &case.script else { panic!("{}", case.id) };
            assert!(case.rule.starts_with("RFC ") && case.what.len() > 5, "{}", case.id);
            assert!(!probe.accepted.is_empty() && !probe.variants.is_empty(), "{}", case.id);
            assert!(role == Role::Server || probe.variants.len() == 1, "{}: one connection", case.id);
        }
    }

    #[test]
    fn every_case_beyond_autobahn_has_a_distinct_id_a_rule_and_an_expectation() {
        for role in Role::ALL {
            check(role, &all(role));
        }
    }

    #[test]
    fn all_cases_about_open_connections_also_run_on_streams_of_http_2() {
        for (role, codes, robustness) in [(Role::Server, 24, 16), (Role::Client, 31, 7)] {
            let cases = of(role, Version::Http2);
            check(role, &cases);
            let count = |section| cases.iter().filter(|case| case.id.section == section).count();
            assert_eq!((count(24), count(25)), (codes, robustness), "{role}");
        }
    }

    #[test]
    fn the_opening_handshake_has_ninety_cases_or_more() {
        let of = |role, section| all(role).iter().filter(|case| case.id.section == section).count();
        assert!(of(Role::Server, 21) + of(Role::Client, 22) >= 90);
        assert!(of(Role::Server, 21) >= 60 && of(Role::Client, 22) >= 40);
    }
}
