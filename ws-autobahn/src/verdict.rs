//! The suite's verdict on a case.

use std::fmt;

/// The suite's verdict on a case: behaviour, closing handshake, and the close code it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The verdict on the case itself.
    pub(crate) behavior: Behavior,
    /// The verdict on the end of the connection.
    pub(crate) close: CloseBehavior,
    /// The code of the peer's Close; `None` when it had no body or was never received.
    pub(crate) code: Option<u16>,
}

impl Verdict {
    /// Compares this verdict with the expected one.
    pub(crate) fn against(&self, expected: &Self) -> Comparison {
        let at_least = self.behavior >= expected.behavior && self.close >= expected.close;
        let above = self.behavior > expected.behavior || self.close > expected.close;
        if self == expected {
            Comparison::Same
        } else if at_least && above {
            Comparison::Better
        } else {
            Comparison::Worse
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { behavior, close, code } = self;
        write!(f, "{}, close {}", behavior.name(), close.name())?;
        match code {
            Some(code) => write!(f, " with {code}"),
            None => f.write_str(" without a code"),
        }
    }
}

/// How a verdict compares with the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// As expected.
    Same,
    /// A better grade: the expectation must be updated.
    Better,
    /// A worse grade, or the same grade with another close code.
    Worse,
}

/// `behavior` in the suite's reports; from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Behavior {
    Failed,
    Unimplemented,
    NonStrict,
    Informational,
    Ok,
}

impl Behavior {
    const ALL: [Self; 5] =
        [Self::Failed, Self::Unimplemented, Self::NonStrict, Self::Informational, Self::Ok];

    /// Returns the suite's spelling.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::NonStrict => "NON-STRICT",
            Self::Informational => "INFORMATIONAL",
            Self::Ok => "OK",
        }
    }

    /// Parses the suite's spelling.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.name() == name)
    }
}

/// `behaviorClose` in the suite's reports; from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CloseBehavior {
    Failed,
    FailedByClient,
    Unclean,
    WrongCode,
    Informational,
    Ok,
}

impl CloseBehavior {
    const ALL: [Self; 6] =
        [Self::Failed, Self::FailedByClient, Self::Unclean, Self::WrongCode, Self::Informational, Self::Ok];

    /// Returns the suite's spelling.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::FailedByClient => "FAILED BY CLIENT",
            Self::Unclean => "UNCLEAN",
            Self::WrongCode => "WRONG CODE",
            Self::Informational => "INFORMATIONAL",
            Self::Ok => "OK",
        }
    }

    /// Parses the suite's spelling.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(behavior: Behavior, close: CloseBehavior, code: u16) -> Verdict {
        Verdict { behavior, close, code: Some(code) }
    }

    #[test]
    fn a_verdict_with_a_higher_grade_is_better_and_any_other_difference_is_worse() {
        let ok = verdict(Behavior::Ok, CloseBehavior::Ok, 1000);
        let unimplemented = verdict(Behavior::Unimplemented, CloseBehavior::Ok, 1000);
        let unclean = verdict(Behavior::Ok, CloseBehavior::Unclean, 1000);
        assert_eq!(ok.against(&ok), Comparison::Same);
        assert_eq!(ok.against(&unimplemented), Comparison::Better);
        assert_eq!(unimplemented.against(&ok), Comparison::Worse);
        assert_eq!(unclean.against(&ok), Comparison::Worse);
        assert_eq!(unclean.against(&unimplemented), Comparison::Worse, "better here, worse there");
    }

    #[test]
    fn a_verdict_with_another_close_code_is_worse() {
        let expected = verdict(Behavior::Ok, CloseBehavior::Ok, 1002);
        assert_eq!(verdict(Behavior::Ok, CloseBehavior::Ok, 1000).against(&expected), Comparison::Worse);
        assert_eq!(Verdict { code: None, ..expected }.against(&expected), Comparison::Worse);
    }

    #[test]
    fn names_of_verdicts_are_parsed_back() {
        assert!(Behavior::ALL.into_iter().all(|b| Behavior::from_name(b.name()) == Some(b)));
        assert!(CloseBehavior::ALL.into_iter().all(|c| CloseBehavior::from_name(c.name()) == Some(c)));
        assert_eq!(Behavior::from_name("ok"), None);
        assert_eq!(CloseBehavior::from_name("Pass"), None);
    }
}
