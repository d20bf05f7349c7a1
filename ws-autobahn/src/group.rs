//! Groups of cases: each is run by one process of Autobahn's suite.

use std::collections::BTreeMap;

use crate::case::CaseId;

/// Cases that are run together, by one process of the suite with a separate folder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// A name such as `12.2`, or `1-10` for everything except compression; the folder has the same name.
    pub(crate) name: String,
    /// The cases, in order; never empty.
    pub(crate) cases: Vec<CaseId>,
    /// The patterns that the suite is given. A complete part is given as a pattern, so that a case unknown to this
    /// crate is noticed.
    pub(crate) patterns: Vec<String>,
}

impl Group {
    /// The estimated time in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.cases.iter().map(|id| seconds(*id)).sum()
    }

    /// Divides the selected cases into groups; `all` are the cases that the suite has.
    pub(crate) fn divide(selected: &[CaseId], all: &[CaseId]) -> Vec<Self> {
        let mut groups: BTreeMap<String, Vec<CaseId>> = BTreeMap::new();
        for id in selected {
            groups.entry(name_of(*id)).or_default().push(*id);
        }
        let group =
            |(name, cases): (String, Vec<CaseId>)| Self { patterns: patterns(&cases, all), name, cases };
        groups.into_iter().map(group).collect()
    }
}

/// Returns the group of a case. Compression is most of the work and is divided by subsection; the rest mostly waits.
fn name_of(id: CaseId) -> String {
    match id.section {
        12.. => part_of(id),
        _ => "1-10".to_owned(),
    }
}

/// Returns the unit that is selected by one pattern: a section, or a subsection of compression.
fn part_of(id: CaseId) -> String {
    match id.section {
        12.. => format!("{}.{}", id.section, id.sub),
        section => section.to_string(),
    }
}

fn patterns(cases: &[CaseId], all: &[CaseId]) -> Vec<String> {
    let mut parts: BTreeMap<String, Vec<CaseId>> = BTreeMap::new();
    for id in cases {
        parts.entry(part_of(*id)).or_default().push(*id);
    }
    let ask = |(part, cases): (String, Vec<CaseId>)| {
        if cases.len() == all.iter().filter(|id| part_of(**id) == part).count() {
            // The dot is necessary: the suite treats patterns as prefixes, and "1*" would select section 10 as well.
            vec![format!("{part}.*")]
        } else {
            cases.iter().map(ToString::to_string).collect()
        }
    };
    parts.into_iter().flat_map(ask).collect()
}

/// Returns the estimated seconds of a case on an idle machine. Only the proportions matter: they determine the order
/// of the groups and the time left.
pub(crate) fn seconds(id: CaseId) -> f64 {
    match (id.section, id.item) {
        // 1000 messages of 16 bytes in the first case to 128 KiB in the tenth and all that follow.
        (12.., Some(item)) => {
            let step = usize::from(item.saturating_sub(1)).min(SHARES.len() - 1);
            0.6 + 5.0 * SHARES[step]
        }
        _ => 0.07,
    }
}

/// The size of the messages of a compression case by its number, in parts of 128 KiB.
const SHARES: [f64; 10] = [0.0, 0.001, 0.002, 0.008, 0.03, 0.06, 0.125, 0.25, 0.5, 1.0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expectations::Expectations;

    fn ids(texts: &[&str]) -> Vec<CaseId> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn the_whole_suite_is_13_groups_selected_by_pattern() {
        let all: Vec<CaseId> = Expectations::load().unwrap().cases().collect();
        let groups = Group::divide(&all, &all);
        let names: Vec<&str> = groups.iter().map(|g| g.name.as_str()).collect();
        let compression =
            ["12.1", "12.2", "12.3", "12.4", "12.5", "13.1", "13.2", "13.3", "13.4", "13.5", "13.6", "13.7"];
        assert_eq!(names, [&["1-10"], &compression[..]].concat());
        assert_eq!(groups.iter().map(|g| g.cases.len()).sum::<usize>(), 517);
        assert_eq!(groups[0].patterns, ["1.*", "10.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*"]);
        assert_eq!(groups[2].patterns, ["12.2.*"]);
    }

    #[test]
    fn parts_of_a_section_are_selected_by_id() {
        let all: Vec<CaseId> = Expectations::load().unwrap().cases().collect();
        let groups = Group::divide(&ids(&["5.3", "10.1.1", "13.7.1", "13.7.2"]), &all);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].patterns, ["10.*", "5.3"]);
        assert_eq!(groups[1].patterns, ["13.7.1", "13.7.2"]);
    }
}
