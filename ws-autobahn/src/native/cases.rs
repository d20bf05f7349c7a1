//! Autobahn's cases, by its sections and with its ids. Each file specifies a section: what is sent, what may come back,
//! and which verdict follows.

mod section_1;
mod section_10;
mod section_12;
mod section_2;
mod section_3;
mod section_4;
mod section_5;
mod section_6;
mod section_7;
mod section_9;

use crate::{
    native::{probe, script::Case, target::Version},
    role::Role,
};

/// The content of small messages.
const HELLO: &str = "Hello, world!";
/// Bytes that are not UTF-8.
const NOT_TEXT: &[u8] = &[0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];

/// The maximum size in bytes of all messages of a case about compression, unless `--full` requests as much as Autobahn
/// sends. This is more than a hundred windows; Autobahn sends up to 130 MB of the same content.
pub(crate) const BOUNDED: usize = 4 << 20;

/// Returns all 517 cases of Autobahn, in order. A case about compression sends at most `volume` bytes of messages, but
/// at least a few messages.
pub(crate) fn all(volume: usize) -> Vec<Case> {
    [
        section_1::cases(),
        section_2::cases(),
        section_3::cases(),
        section_4::cases(),
        section_5::cases(),
        section_6::cases(),
        section_7::cases(),
        section_9::cases(),
        section_10::cases(),
        section_12::cases(volume),
    ]
    .concat()
}

/// Returns the cases for a role over a version of HTTP, those of Autobahn and those beyond, in order.
pub(crate) fn of(role: Role, version: Version, volume: usize) -> Vec<Case> {
    [all(volume), probe::of(role, version)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        expectations::Expectations,
        native::script::{Closer, Grading, Script},
        verdict::Behavior,
    };

    #[test]
    fn the_cases_are_autobahns_517_in_order() {
        let ours: Vec<_> = all(BOUNDED).iter().map(|case| case.id).collect();
        let theirs: Vec<_> = Expectations::load().unwrap().cases().collect();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn every_case_states_what_it_does_and_its_rule() {
        for case in all(BOUNDED) {
            assert!(case.rule.starts_with("RFC "), "{}", case.id);
            assert!(case.what.len() > 5 && case.expectation().len() > 5, "{}", case.id);
        }
    }

    #[test]
    fn the_close_codes_expected_of_a_correct_peer_are_accepted_by_the_cases() {
        let expectations = Expectations::load().unwrap();
        for case in all(BOUNDED) {
            let Script::Steps(steps) = &case.script else { continue };
            let expected = expectations.of(Role::Server)[&case.id];
            let open = steps.grading == Grading::Open;
            assert_eq!(open, expected.behavior == Behavior::Informational, "{}", case.id);
            if let Some(code) = expected.code.filter(|_| !open) {
                assert!(steps.close.codes.contains(&code), "{}", case.id);
            }
            let fails = steps.close.first == Closer::Peer;
            assert!(!fails || matches!(expected.code, Some(1002 | 1007)), "{}", case.id);
        }
    }
}
