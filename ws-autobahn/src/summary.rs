//! `summary.json`: the numbers of a run, for programs.

use serde_json::{Map, Value, json};

use crate::{
    assessment::{Assessment, Finding},
    case::CaseId,
    verdict::Behavior,
};

/// The counts of a role. Each case is counted once: `cases` is the sum of the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many were requested.
    pub(crate) cases: usize,
    /// Passed.
    pub(crate) ok: usize,
    /// The suite does not judge the outcome.
    pub(crate) informational: usize,
    /// Passed, but not as strictly as the suite prefers.
    pub(crate) non_strict: usize,
    /// Not supported by the tested implementation.
    pub(crate) unimplemented: usize,
    /// Failed in any way: by the suite's verdict, in how it ended (another verdict or close code than expected), or
    /// without a report.
    pub(crate) failed: Vec<CaseId>,
}

impl Tally {
    /// Counts the findings.
    pub(crate) fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut tally = Self::default();
        for finding in findings {
            tally.cases += 1;
            match grade(finding) {
                Behavior::Ok => tally.ok += 1,
                Behavior::Informational => tally.informational += 1,
                Behavior::NonStrict => tally.non_strict += 1,
                Behavior::Unimplemented => tally.unimplemented += 1,
                Behavior::Failed => tally.failed.push(finding.id),
            }
        }
        tally
    }
}

fn grade(finding: &Finding) -> Behavior {
    let Some(found) = finding.outcome.as_ref().map(|o| o.verdict) else { return Behavior::Failed };
    let ends_well = found.close >= finding.expected.close && found.code == finding.expected.code;
    if ends_well { found.behavior } else { Behavior::Failed }
}

/// Returns the content of `summary.json`: an entry for each role that was run.
pub(crate) fn summary(roles: &[Assessment]) -> Value {
    let entry = |role: &Assessment| {
        let Tally { cases, ok, informational, non_strict, unimplemented, failed } = Tally::of(&role.findings);
        let failed: Vec<String> = failed.iter().map(ToString::to_string).collect();
        let entry = json!({
            "cases": cases,
            "ok": ok,
            "informational": informational,
            "non_strict": non_strict,
            "unimplemented": unimplemented,
            "failed": failed,
        });
        (role.role.name().to_owned(), entry)
    };
    Value::Object(roles.iter().map(entry).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        assessment::tests::{FAILED, OK, UNIMPLEMENTED, expected, group},
        role::Role,
        verdict::{CloseBehavior, Verdict},
    };

    #[test]
    fn every_case_counts_once() {
        let non_strict = Verdict { behavior: Behavior::NonStrict, ..OK };
        let informational = Verdict {
            behavior: Behavior::Informational,
            close: CloseBehavior::Informational,
            code: Some(1000),
        };
        let asked = expected(&[
            ("1.1.1", OK),
            ("1.1.2", OK),
            ("1.1.3", OK),
            ("1.1.4", OK),
            ("1.1.5", OK),
            ("1.1.6", OK),
            ("7.1.6", informational),
            ("12.1.1", UNIMPLEMENTED),
        ]);
        let found = group(
            "all",
            &[
                ("1.1.1", OK),
                ("1.1.2", non_strict),
                ("1.1.3", FAILED),
                ("1.1.4", Verdict { code: None, ..OK }),
                ("1.1.5", Verdict { close: CloseBehavior::Unclean, ..OK }),
                ("7.1.6", informational),
                ("12.1.1", UNIMPLEMENTED),
            ],
        );
        let roles = [
            Assessment::new(Role::Server, &asked, &[found]),
            Assessment::new(Role::Client, &BTreeMap::new(), &[]),
        ];
        let wanted = json!({
            "server": { "cases": 8, "ok": 1, "informational": 1, "non_strict": 1, "unimplemented": 1,
                "failed": ["1.1.3", "1.1.4", "1.1.5", "1.1.6"] },
            "client": { "cases": 0, "ok": 0, "informational": 0, "non_strict": 0, "unimplemented": 0, "failed": [] },
        });
        assert_eq!(summary(&roles), wanted);
    }
}
