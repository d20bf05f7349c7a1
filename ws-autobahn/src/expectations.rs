//! The expected verdicts, read from `expectations.txt`, which is also the list of all cases.

use std::collections::BTreeMap;

use crate::{
    case::{CaseId, Pattern},
    role::Role,
    verdict::{Behavior, CloseBehavior, Verdict},
};

/// The expected verdict for every case in both roles.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expectations {
    server: BTreeMap<CaseId, Verdict>,
    client: BTreeMap<CaseId, Verdict>,
}

impl Expectations {
    /// Parses the expectations of this crate.
    ///
    /// # Errors
    /// The file is invalid, which a unit test rules out.
    pub(crate) fn load() -> Result<Self, String> {
        Self::parse(TEXT)
    }

    /// Parses the format that the comment at the top of `expectations.txt` describes.
    ///
    /// # Errors
    /// A line is invalid, or a case is listed twice or for only one role.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut this = Self { server: BTreeMap::new(), client: BTreeMap::new() };
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'))
        {
            this.add(line).map_err(|e| format!("expectations.txt, line {}: {e}", n + 1))?;
        }
        let one_sided = this.server.keys().find(|id| !this.client.contains_key(id));
        match one_sided.or_else(|| this.client.keys().find(|id| !this.server.contains_key(id))) {
            Some(id) => Err(format!("expectations.txt lists {id} for only one role")),
            None => Ok(this),
        }
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [cases, roles, behavior, close, code] = columns[..] else {
            return Err(format!("{} columns, not 5", columns.len()));
        };
        let roles = match roles {
            "both" => &Role::ALL[..],
            "server" => &[Role::Server],
            "client" => &[Role::Client],
            other => return Err(format!("unknown role {other:?}")),
        };
        let verdict = Verdict {
            behavior: Behavior::from_name(behavior)
                .ok_or_else(|| format!("unknown behavior {behavior:?}"))?,
            // Columns end at spaces, so that the suite's "WRONG CODE" has a hyphen here.
            close: CloseBehavior::from_name(&close.replace('-', " "))
                .ok_or_else(|| format!("unknown close behavior {close:?}"))?,
            code: match code {
                "none" => None,
                code => Some(code.parse().map_err(|_| format!("{code:?} is not a close code or \"none\""))?),
            },
        };
        for id in CaseId::range(cases)? {
            for role in roles {
                if self.of_mut(*role).insert(id, verdict).is_some() {
                    return Err(format!("{id} is listed twice for the {role}"));
                }
            }
        }
        Ok(())
    }

    /// Returns the expected verdict for each case, in order.
    pub(crate) fn of(&self, role: Role) -> &BTreeMap<CaseId, Verdict> {
        match role {
            Role::Server => &self.server,
            Role::Client => &self.client,
        }
    }

    fn of_mut(&mut self, role: Role) -> &mut BTreeMap<CaseId, Verdict> {
        match role {
            Role::Server => &mut self.server,
            Role::Client => &mut self.client,
        }
    }

    /// Returns all cases, in order.
    pub(crate) fn cases(&self) -> impl Iterator<Item = CaseId> {
        self.server.keys().copied()
    }
}

/// Returns the cases that `only` selects (all if it is empty) and `skip` does not, in order.
///
/// # Errors
/// A pattern selects nothing, so that a typing error does not make a run look complete; or no case is left.
pub(crate) fn select(all: &[CaseId], only: &[Pattern], skip: &[Pattern]) -> Result<Vec<CaseId>, String> {
    if let Some(idle) = only.iter().chain(skip).find(|p| !all.iter().any(|id| p.matches(*id))) {
        return Err(format!("no case of the suite matches {idle}"));
    }
    let any = |patterns: &[Pattern], id| patterns.iter().any(|p| p.matches(id));
    let selected = all.iter().filter(|id| (only.is_empty() || any(only, **id)) && !any(skip, **id));
    match selected.copied().collect::<Vec<_>>() {
        none if none.is_empty() => Err("--skip leaves no case".to_owned()),
        some => Ok(some),
    }
}

const TEXT: &str = include_str!("../expectations.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_all_517_cases_by_section() {
        let all = Expectations::load().unwrap();
        let mut sections = BTreeMap::new();
        all.cases().for_each(|id| *sections.entry(id.section).or_insert(0) += 1);
        let counts = [
            (1, 16),
            (2, 11),
            (3, 7),
            (4, 10),
            (5, 20),
            (6, 145),
            (7, 37),
            (9, 54),
            (10, 1),
            (12, 90),
            (13, 126),
        ];
        assert_eq!(sections, BTreeMap::from(counts));
        assert_eq!(all.of(Role::Server).len(), 517);
        assert_eq!(all.of(Role::Client).len(), 517);
    }

    #[test]
    fn a_silent_drop_is_expected_nowhere() {
        let all = Expectations::load().unwrap();
        for role in Role::ALL {
            let without: Vec<_> =
                all.of(role).iter().filter(|(_, v)| v.code.is_none()).map(|(id, _)| *id).collect();
            assert_eq!(without, ["7.3.1".parse().unwrap()]);
            let with = |code| all.of(role).values().filter(|v| v.code == Some(code)).count();
            assert_eq!((with(1002), with(1007)), (44, 77));
        }
    }

    #[test]
    fn expectations_of_the_two_roles_may_differ() {
        let text = "# a comment\n\n1.1.1-2 server OK OK 1000\n1.1.1-2 client FAILED FAILED-BY-CLIENT none\n";
        let some = Expectations::parse(text).unwrap();
        let id = "1.1.2".parse().unwrap();
        let failed = Verdict { behavior: Behavior::Failed, close: CloseBehavior::FailedByClient, code: None };
        assert_eq!(some.of(Role::Client)[&id], failed);
        assert_eq!(some.of(Role::Server)[&id].code, Some(1000));
    }

    #[test]
    fn an_error_in_the_expectations_names_the_line() {
        for (text, fault) in [
            ("1.1.1 both OK OK", "line 1: 4 columns"),
            ("\n1.1.1 none OK OK 1000", "line 2: unknown role"),
            ("1.1.1 both Pass OK 1000", "unknown behavior \"Pass\""),
            ("1.1.1 both OK Pass 1000", "unknown close behavior"),
            ("1.1.1 both OK OK 70000", "not a close code"),
            ("1.* both OK OK 1000", "not a case"),
            (
                "1.1.1-3 both OK OK 1000\n1.1.3 client OK OK 1000",
                "line 2: 1.1.3 is listed twice for the client",
            ),
            ("1.1.1 server OK OK 1000", "1.1.1 for only one role"),
        ] {
            let error = Expectations::parse(text).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
    }

    #[test]
    fn patterns_select_in_order_and_each_must_select() {
        let all = Expectations::load().unwrap();
        let pick = |patterns: &[&str]| {
            let all: Vec<CaseId> = all.cases().collect();
            select(&all, &patterns.iter().map(|p| p.parse().unwrap()).collect::<Vec<Pattern>>(), &[])
        };
        assert_eq!(pick(&[]).unwrap().len(), 517);
        assert_eq!(pick(&["5.3", "1.*", "1.1.1"]).unwrap().len(), 17);
        assert!(pick(&["1.*", "8.*"]).unwrap_err().contains("8.*"));
        assert!(pick(&["5.21"]).is_err());
    }
}
