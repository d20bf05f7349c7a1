//! Groups of cases: what one run of the suite's program takes on.

use std::collections::BTreeMap;

use crate::case::CaseId;

/// Some cases that are run together, by one process of the suite with a folder of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// Such as `12.2`, or `1-10` for everything outside compression; also names its folder.
    pub(crate) name: String,
    /// The cases, in order. Never empty.
    pub(crate) cases: Vec<CaseId>,
    /// What the suite is asked for. A part that is run as a whole is asked for by pattern, so
    /// that a case this crate does not know of comes to light.
    pub(crate) patterns: Vec<String>,
}

impl Group {
    /// Seconds that it takes, roughly.
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

/// Compression is most of the work and divided by subsection; the rest is mostly waiting.
fn name_of(id: CaseId) -> String {
    match id.section {
        12.. => part_of(id),
        _ => "1-10".to_owned(),
    }
}

/// The unit that is asked for by pattern: a section, or a subsection of compression.
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
            // The dot matters: the suite takes patterns as prefixes, and "1*" would be 10 as well.
            vec![format!("{part}.*")]
        } else {
            cases.iter().map(ToString::to_string).collect()
        }
    };
    parts.into_iter().flat_map(ask).collect()
}

/// The seconds that a case takes, roughly, on a quiet machine; only proportions matter. They set the order of the
/// groups and the time left.
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

/// The messages of a compression case by its number, as shares of 128 KiB.
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
