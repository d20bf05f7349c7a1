//! Compares the verdicts of two suites on the same implementation.

use std::collections::BTreeMap;

use crate::{case::CaseId, report::Outcome};

/// The verdicts of two suites on the same cases.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// How many cases were compared.
    pub(crate) cases: usize,
    /// Descriptions of the differences that are not in the reviewed list.
    pub(crate) differences: Vec<String>,
    /// Descriptions of the differences that are in it.
    pub(crate) reviewed: Vec<String>,
}

/// Intended differences by case, with the reason: so far there are none.
const REVIEWED: &[(&str, &str)] = &[];

impl Comparison {
    /// Compares the two; a case that only one of them reports is a difference.
    pub(crate) fn new(native: &BTreeMap<CaseId, Outcome>, autobahn: &BTreeMap<CaseId, Outcome>) -> Self {
        let ids: std::collections::BTreeSet<CaseId> = native.keys().chain(autobahn.keys()).copied().collect();
        let mut this = Self { cases: ids.len(), differences: Vec::new(), reviewed: Vec::new() };
        for id in ids {
            let of = |outcomes: &BTreeMap<CaseId, Outcome>| outcomes.get(&id).map(|outcome| outcome.verdict);
            if of(native) == of(autobahn) {
                continue;
            }
            let words = |outcomes: &BTreeMap<CaseId, Outcome>| match outcomes.get(&id) {
                Some(outcome) => format!("{} ({})", outcome.verdict, outcome.reason()),
                None => "no report".to_owned(),
            };
            let text = format!("{id}\n    native:   {}\n    autobahn: {}", words(native), words(autobahn));
            match REVIEWED.iter().find(|(case, _)| *case == id.to_string()) {
                Some((_, reason)) => this.reviewed.push(format!("{text}\n    reviewed: {reason}")),
                None => this.differences.push(text),
            }
        }
        this
    }

    /// Formats the comparison as text.
    pub(crate) fn words(&self) -> String {
        let different = self.differences.len().saturating_add(self.reviewed.len());
        let same = self.cases.saturating_sub(different);
        let mut lines = vec![format!(
            "native suite and Autobahn's suite: {same} of {} verdicts equal, {} differ, {} of them reviewed",
            self.cases,
            different,
            self.reviewed.len()
        )];
        lines.extend(self.differences.iter().chain(&self.reviewed).cloned());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assessment::tests::{FAILED, OK},
        verdict::Verdict,
    };

    fn outcomes(cases: &[(&str, Verdict)]) -> BTreeMap<CaseId, Outcome> {
        let outcome = |verdict| Outcome { verdict, file: "no such file.json".into() };
        cases.iter().map(|(id, verdict)| (id.parse().unwrap(), outcome(*verdict))).collect()
    }

    #[test]
    fn a_verdict_that_differs_and_a_case_that_is_missing_are_differences() {
        let native = outcomes(&[("1.1.1", OK), ("1.1.2", FAILED), ("1.1.3", OK)]);
        let autobahn = outcomes(&[("1.1.1", OK), ("1.1.2", OK), ("1.1.4", OK)]);
        let compared = Comparison::new(&native, &autobahn);
        assert_eq!((compared.cases, compared.differences.len()), (4, 3));
        assert!(
            compared
                .words()
                .starts_with("native suite and Autobahn's suite: 1 of 4 verdicts equal, 3 differ")
        );
        assert!(compared.differences[2].contains("native:   no report"));
        let code = outcomes(&[("1.1.1", Verdict { code: None, ..OK })]);
        assert_eq!(Comparison::new(&native, &code).differences.len(), 3, "the close code counts as well");
    }

    #[test]
    fn every_reviewed_difference_is_of_a_case_and_has_a_reason() {
        assert!(REVIEWED.len() <= 5);
        assert!(REVIEWED.iter().all(|(id, reason)| id.parse::<CaseId>().is_ok() && reason.len() > 20));
    }
}
