//! Derives the verdict on a case from what was received.

use crate::{
    native::{
        script::{CloseRule, Closer, Event, Grading, Steps, events_in_words},
        session::End,
    },
    role::Role,
    verdict::{Behavior, CloseBehavior, Verdict},
};

/// The verdict on a case, with the reasons as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// The reason of the verdict on the behaviour.
    pub(crate) reason: String,
    /// The reason of the verdict on the end.
    pub(crate) close_reason: String,
}

/// Returns the verdict on a case that could not be run because the opening handshake was never completed.
pub(crate) fn never_open(why: &str) -> Judgement {
    let verdict = Verdict { behavior: Behavior::Failed, close: CloseBehavior::Failed, code: None };
    Judgement {
        verdict,
        reason: "the opening handshake was never completed".to_owned(),
        close_reason: why.to_owned(),
    }
}

/// Judges a case with steps by the received answers and the end of the connection.
pub(crate) fn steps(tested: Role, steps: &Steps, received: &[Event], end: &End) -> Judgement {
    let found = steps.accepted.iter().find(|(_, events)| events == received);
    let (behavior, reason) = match found {
        Some((Behavior::Ok, _)) => (Behavior::Ok, "the answers are as expected".to_owned()),
        Some((behavior, _)) => {
            (*behavior, format!("the answers are accepted: {}", events_in_words(received)))
        }
        None => {
            let best = steps.accepted.first().map(|(_, events)| &events[..]).unwrap_or_default();
            let (best, got) = (events_in_words(best), events_in_words(received));
            (Behavior::Failed, format!("expected: {best}; received: {got}"))
        }
    };
    conclude(tested, behavior, reason, &steps.close, steps.grading, end)
}

/// Combines the verdict on the answers with the one on the end.
pub(crate) fn conclude(
    tested: Role,
    behavior: Behavior,
    reason: String,
    rule: &CloseRule,
    grading: Grading,
    end: &End,
) -> Judgement {
    let (close, close_reason) = close(tested, rule, end);
    let wrong_end = (rule.first == Closer::Suite) != end.closed_by_suite;
    let open = (Behavior::Informational, CloseBehavior::Informational);
    let ((behavior, close), reason) = match grading {
        Grading::Open => (open, "RFC 6455 leaves the outcome open".to_owned()),
        Grading::AnswersAndCode if close == CloseBehavior::WrongCode => {
            ((Behavior::Failed, close), close_reason.clone())
        }
        // RFC 6455 section 8.1: the peer did not detect invalid UTF-8.
        _ if rule.fatal && wrong_end => {
            ((Behavior::Failed, close), "the peer did not fail the connection".to_owned())
        }
        _ => ((behavior, close), reason),
    };
    Judgement { verdict: Verdict { behavior, close, code: end.code }, reason, close_reason }
}

/// Judges the end of the connection.
fn close(tested: Role, rule: &CloseRule, end: &End) -> (CloseBehavior, String) {
    let noted = end.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    match rule.first {
        Closer::Suite if !end.closed_by_suite => {
            return (CloseBehavior::Failed, format!("the peer ended the connection, not the suite{noted}"));
        }
        Closer::Peer if end.closed_by_suite => {
            return (
                CloseBehavior::Failed,
                format!("the suite closed the connection, the peer did not{noted}"),
            );
        }
        _ => {}
    }
    if rule.clean && !end.clean {
        return (CloseBehavior::Unclean, format!("the closing handshake is not complete{noted}"));
    }
    if let Some(code) = end.code.filter(|code| !rule.codes.contains(code)) {
        let codes: Vec<String> = rule.codes.iter().map(u16::to_string).collect();
        let expected = codes.join(" or ");
        return (
            CloseBehavior::WrongCode,
            format!("the Close has the code {code}; expected {expected} or none"),
        );
    }
    // RFC 6455 section 7.1.1: the server ends the TCP connection.
    if tested == Role::Server && end.dropped_by_suite {
        return (CloseBehavior::FailedByClient, format!("the server should end the TCP connection{noted}"));
    }
    (CloseBehavior::Ok, "closed properly".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{
        frame::text,
        script::Script,
        words::{case, echo},
    };

    fn steps_of(case: crate::native::script::Case) -> Steps {
        match case.script {
            Script::Steps(steps) => steps,
            _ => panic!("not a case with steps"),
        }
    }

    fn clean(code: u16) -> End {
        End { closed_by_suite: true, clean: true, code: Some(code), ..End::default() }
    }

    fn verdict(judgement: &Judgement) -> (Behavior, CloseBehavior) {
        (judgement.verdict.behavior, judgement.verdict.close)
    }

    #[test]
    fn the_first_accepted_answers_that_match_decide_the_verdict() {
        let case =
            steps_of(case("3.2", "", "").send(text("a")).must_fail(1002).ok([echo("a")]).non_strict([]));
        let failed = End { code: Some(1002), ..End::default() };
        let judge = |received: &[Event]| steps(Role::Server, &case, received, &failed).verdict.behavior;
        assert_eq!(judge(&[echo("a")]), Behavior::Ok);
        assert_eq!(judge(&[]), Behavior::NonStrict);
        assert_eq!(judge(&[echo("b")]), Behavior::Failed);
        assert_eq!(judge(&[echo("a"), echo("a")]), Behavior::Failed);
    }

    #[test]
    fn the_end_is_judged_by_initiator_then_cleanness_then_code_then_tcp() {
        let case = steps_of(case("1.1.1", "", "").ok([]));
        let judge = |role, end: &End| steps(role, &case, &[], end).verdict.close;
        assert_eq!(judge(Role::Server, &clean(1000)), CloseBehavior::Ok);
        assert_eq!(judge(Role::Server, &End { code: None, ..clean(0) }), CloseBehavior::Ok);
        assert_eq!(
            judge(Role::Server, &End { closed_by_suite: false, ..clean(1000) }),
            CloseBehavior::Failed
        );
        assert_eq!(judge(Role::Server, &End { clean: false, ..clean(1000) }), CloseBehavior::Unclean);
        assert_eq!(judge(Role::Server, &clean(1001)), CloseBehavior::WrongCode);
        let dropped = End { dropped_by_suite: true, ..clean(1000) };
        assert_eq!(judge(Role::Server, &dropped), CloseBehavior::FailedByClient);
        assert_eq!(judge(Role::Client, &dropped), CloseBehavior::Ok, "a server is to end it");
    }

    #[test]
    fn a_wrong_code_fails_a_case_about_codes_and_unnoticed_text_one_about_utf_8() {
        let coded = steps_of(case("7.1.1", "", "").code_counts().ok([]));
        assert_eq!(
            verdict(&steps(Role::Server, &coded, &[], &clean(1001))),
            (Behavior::Failed, CloseBehavior::WrongCode)
        );
        let utf8 = steps_of(case("6.3.1", "", "").must_fail_for_utf8().ok([]));
        assert_eq!(
            verdict(&steps(Role::Server, &utf8, &[], &clean(1000))),
            (Behavior::Failed, CloseBehavior::Failed)
        );
        let open = steps_of(case("7.13.1", "", "").open().ok([]));
        assert_eq!(
            verdict(&steps(Role::Server, &open, &[], &End::default())),
            (Behavior::Informational, CloseBehavior::Informational)
        );
    }
}
