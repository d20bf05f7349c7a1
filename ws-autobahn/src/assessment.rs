//! Compares the results of a run with the expectations.

use std::collections::BTreeMap;

use crate::{
    case::{CaseId, ranges},
    report::Outcome,
    role::Role,
    verdict::{Comparison, Verdict},
};

/// The results of one group of cases.
#[derive(Debug)]
pub(crate) struct GroupResult {
    /// The tested role.
    pub(crate) role: Role,
    /// The group's name.
    pub(crate) name: String,
    /// What the suite reported, for any case.
    pub(crate) outcomes: BTreeMap<CaseId, Outcome>,
    /// The error of the run itself, if there was one.
    pub(crate) trouble: Option<String>,
}

/// The comparison for one role.
#[derive(Debug)]
pub(crate) struct Assessment {
    /// The role that was under test.
    pub(crate) role: Role,
    /// Exactly the requested cases, in order.
    pub(crate) findings: Vec<Finding>,
    /// Cases that the suite reported without a request, or twice.
    pub(crate) stray: Vec<CaseId>,
    /// The errors of the runs themselves.
    pub(crate) troubles: Vec<String>,
}

/// One case: the expected and the reported verdict.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The case.
    pub(crate) id: CaseId,
    /// The expected verdict.
    pub(crate) expected: Verdict,
    /// What the suite reported; `None` without a report, which is the worst result.
    pub(crate) outcome: Option<Outcome>,
}

impl Finding {
    /// Compares the two. A missing case is never as expected.
    pub(crate) fn comparison(&self) -> Comparison {
        self.outcome.as_ref().map_or(Comparison::Worse, |o| o.verdict.against(&self.expected))
    }
}

impl Assessment {
    /// Combines the groups of a role. Every expected case is looked up, so that a missing report is noticed.
    pub(crate) fn new(role: Role, expected: &BTreeMap<CaseId, Verdict>, results: &[GroupResult]) -> Self {
        let mut found = BTreeMap::new();
        let mut stray = Vec::new();
        let mut troubles = Vec::new();
        for result in results.iter().filter(|r| r.role == role) {
            troubles.extend(result.trouble.as_ref().map(|t| format!("{role} {}: {t}", result.name)));
            for (id, outcome) in &result.outcomes {
                if !expected.contains_key(id) || found.insert(*id, outcome.clone()).is_some() {
                    stray.push(*id);
                }
            }
        }
        let finding = |(id, verdict): (&CaseId, &Verdict)| Finding {
            id: *id,
            expected: *verdict,
            outcome: found.remove(id),
        };
        Self { role, findings: expected.iter().map(finding).collect(), stray, troubles }
    }

    /// Whether everything is as expected.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.complaints().is_empty()
    }

    /// One text for each difference, also for better verdicts, each with the reason that the suite gave.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut words: Vec<String> = self.troubles.clone();
        if self.findings.is_empty() {
            words.push(format!("{}: no case was run", self.role));
        }
        let missing: Vec<CaseId> =
            self.findings.iter().filter(|f| f.outcome.is_none()).map(|f| f.id).collect();
        if !missing.is_empty() {
            let (n, which) = (missing.len(), ranges(missing));
            words.push(format!("{}: {n} cases have no report: {which}", self.role));
        }
        if !self.stray.is_empty() {
            let which = ranges(self.stray.iter().copied());
            words.push(format!("{}: reported, but not requested or unknown: {which}", self.role));
        }
        words.extend(self.findings.iter().filter_map(|finding| self.complaint(finding)));
        words
    }

    fn complaint(&self, finding: &Finding) -> Option<String> {
        let outcome = finding.outcome.as_ref()?;
        let Finding { id, expected, .. } = finding;
        let (role, found, page) = (self.role, outcome.verdict, outcome.page());
        match finding.comparison() {
            Comparison::Same => None,
            Comparison::Better => Some(format!(
                "{role} {id} is better than expected: {found}; expectations.txt says {expected}: update it"
            )),
            Comparison::Worse => Some(format!(
                "{role} {id}: {found}; expected {expected}\n    {}\n    {}",
                outcome.reason(),
                page.display()
            )),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::verdict::{Behavior, CloseBehavior};

    pub(crate) const OK: Verdict =
        Verdict { behavior: Behavior::Ok, close: CloseBehavior::Ok, code: Some(1000) };
    pub(crate) const FAILED: Verdict =
        Verdict { behavior: Behavior::Failed, close: CloseBehavior::Failed, code: Some(1000) };
    pub(crate) const UNIMPLEMENTED: Verdict = Verdict { behavior: Behavior::Unimplemented, ..OK };

    pub(crate) fn group(name: &str, cases: &[(&str, Verdict)]) -> GroupResult {
        let outcome = |(id, verdict): &(&str, Verdict)| {
            (id.parse().unwrap(), Outcome { verdict: *verdict, file: "no such file.json".into() })
        };
        let outcomes = cases.iter().map(outcome).collect();
        GroupResult { role: Role::Server, name: name.to_owned(), outcomes, trouble: None }
    }

    pub(crate) fn expected(cases: &[(&str, Verdict)]) -> BTreeMap<CaseId, Verdict> {
        cases.iter().map(|(id, verdict)| (id.parse().unwrap(), *verdict)).collect()
    }

    #[test]
    fn groups_add_up_to_the_requested_cases() {
        let asked = expected(&[("1.1.1", OK), ("12.1.1", OK)]);
        let results = [group("1-10", &[("1.1.1", OK)]), group("12.1", &[("12.1.1", OK)])];
        let all = Assessment::new(Role::Server, &asked, &results);
        assert!(all.is_as_expected(), "{:?}", all.complaints());
    }

    #[test]
    fn a_run_that_ended_early_is_not_as_expected() {
        let asked = expected(&[("1.1.1", OK), ("1.1.2", OK), ("1.1.3", OK)]);
        let all = Assessment::new(Role::Server, &asked, &[group("1-10", &[("1.1.1", OK)])]);
        assert_eq!(all.complaints(), ["server: 2 cases have no report: 1.1.2-3"]);
    }

    #[test]
    fn the_other_role_does_not_count() {
        let asked = expected(&[("1.1.1", OK)]);
        let all = Assessment::new(Role::Client, &asked, &[group("1-10", &[("1.1.1", OK)])]);
        assert!(!all.is_as_expected());
    }

    #[test]
    fn a_run_without_any_case_is_not_as_expected() {
        assert!(!Assessment::new(Role::Server, &BTreeMap::new(), &[]).is_as_expected());
    }

    #[test]
    fn unrequested_and_repeated_cases_are_named() {
        let asked = expected(&[("1.1.1", OK)]);
        let results = [group("a", &[("1.1.1", OK), ("1.1.9", OK)]), group("b", &[("1.1.1", OK)])];
        let all = Assessment::new(Role::Server, &asked, &results);
        assert_eq!(all.stray.len(), 2);
        assert!(all.complaints()[0].contains("not requested"));
    }

    #[test]
    fn a_better_verdict_is_reported_like_a_worse_one() {
        let asked = expected(&[("12.1.1", UNIMPLEMENTED), ("12.1.2", OK)]);
        let all =
            Assessment::new(Role::Server, &asked, &[group("12.1", &[("12.1.1", OK), ("12.1.2", FAILED)])]);
        let words = all.complaints();
        assert!(words[0].contains("12.1.1 is better than expected"), "{words:?}");
        assert!(words[1].contains("12.1.2: FAILED"), "{words:?}");
        assert_eq!(words.len(), 2);
    }

    #[test]
    fn an_error_of_the_suite_alone_makes_a_run_not_as_expected() {
        let mut result = group("1-10", &[("1.1.1", OK)]);
        result.trouble = Some("wstest ended with 1".to_owned());
        let all = Assessment::new(Role::Server, &expected(&[("1.1.1", OK)]), &[result]);
        assert_eq!(all.complaints(), ["server 1-10: wstest ended with 1"]);
    }
}
