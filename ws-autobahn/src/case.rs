//! Ids of cases, patterns that select cases, and ranges of ids.

use std::{fmt, str::FromStr};

/// The id of a case: `2.10` or `12.3.18`. Ids are ordered by number, not as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CaseId {
    /// The section, such as 12.
    pub(crate) section: u16,
    /// The subsection, or the number of a case in a section that has none.
    pub(crate) sub: u16,
    /// The number in the subsection; some sections have only two levels.
    pub(crate) item: Option<u16>,
}

impl CaseId {
    /// Whether this is a case of Autobahn; the sections beyond Autobahn have numbers from 21.
    pub(crate) fn is_autobahns(&self) -> bool {
        self.section <= 20
    }

    /// Parses a range as `expectations.txt` writes it: `5.1`, `2.1-4` or `6.22.1-34`.
    ///
    /// # Errors
    /// The text is neither an id nor an ascending range.
    pub(crate) fn range(text: &str) -> Result<Vec<Self>, String> {
        let wrong = || format!("{text:?} is not a case or a range of cases; write 5.1 or 2.1-4 or 6.22.1-34");
        let (first, last) = match text.split_once('-') {
            None => return Ok(vec![text.parse().map_err(|_| wrong())?]),
            Some((first, last)) => {
                (first.parse::<Self>().map_err(|_| wrong())?, number(last).ok_or_else(wrong)?)
            }
        };
        if last < first.last() {
            return Err(wrong());
        }
        Ok((first.last()..=last).map(|n| first.with_last(n)).collect())
    }

    fn last(self) -> u16 {
        self.item.unwrap_or(self.sub)
    }

    fn with_last(self, n: u16) -> Self {
        match self.item {
            Some(_) => Self { item: Some(n), ..self },
            None => Self { sub: n, ..self },
        }
    }
}

impl FromStr for CaseId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not the id of a case");
        let mut numbers = text.split('.').map(|part| number(part).ok_or_else(wrong));
        let section = numbers.next().ok_or_else(wrong)??;
        let sub = numbers.next().ok_or_else(wrong)??;
        let item = numbers.next().transpose()?;
        match numbers.next() {
            None => Ok(Self { section, sub, item }),
            Some(_) => Err(wrong()),
        }
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => f.pad(&format!("{}.{}.{item}", self.section, self.sub)),
            None => f.pad(&format!("{}.{}", self.section, self.sub)),
        }
    }
}

/// A selection of cases: an id (`5.3`), a section or subsection (`1.*`, `12.2.*`), or all (`*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// One case.
    Exactly(CaseId),
    /// All cases whose ids begin with these numbers.
    Below(Vec<u16>),
}

impl Pattern {
    /// Whether the pattern selects the case.
    pub(crate) fn matches(&self, id: CaseId) -> bool {
        match self {
            Self::Exactly(this) => *this == id,
            Self::Below(prefix) => {
                let numbers = [Some(id.section), Some(id.sub), id.item];
                // The last number of an id is never a section: `2.5.*` does not mean 2.5.
                let above = if id.item.is_some() { 2 } else { 1 };
                prefix.len() <= above && prefix.iter().zip(numbers).all(|(p, n)| Some(*p) == n)
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a pattern; write a case (5.3), a section (1.*), a part of one (12.2.*) or *"
            )
        };
        if text == "*" {
            return Ok(Self::Below(Vec::new()));
        }
        let Some(prefix) = text.strip_suffix(".*") else {
            return text.parse().map(Self::Exactly).map_err(|_| wrong());
        };
        let prefix: Option<Vec<u16>> = prefix.split('.').map(number).collect();
        prefix.filter(|p| p.len() <= 2).map(Self::Below).ok_or_else(wrong)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(id) => write!(f, "{id}"),
            Self::Below(prefix) => {
                prefix.iter().try_for_each(|n| write!(f, "{n}."))?;
                f.write_str("*")
            }
        }
    }
}

/// Formats ids as text with consecutive ids as a range: `2.1-4, 12.3.7`.
pub(crate) fn ranges(ids: impl IntoIterator<Item = CaseId>) -> String {
    let mut runs: Vec<(CaseId, CaseId)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, end)) if id.last() == end.last() + 1 && id == end.with_last(id.last()) => *end = id,
            _ => runs.push((id, id)),
        }
    }
    let words: Vec<String> = runs
        .into_iter()
        .map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{}", b.last()) })
        .collect();
    words.join(", ")
}

/// Parses a number of an id: decimal digits, at least 1, no leading zero.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CaseId {
        text.parse().unwrap()
    }

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn case_ids_are_parsed_and_printed() {
        for text in ["2.10", "12.3.18", "10.1.1"] {
            assert_eq!(id(text).to_string(), text);
        }
        for text in ["", "1", "1.", ".1", "1.2.3.4", "1.x", "01.1", "0.1", "1.*", "+1.2", "1.99999", "1 .2"] {
            assert!(text.parse::<CaseId>().is_err(), "{text}");
        }
    }

    #[test]
    fn case_ids_are_ordered_by_number() {
        let mut ids = ["10.1.1", "2.10", "2.9", "1.2.1", "12.1.2", "12.1.10"].map(id);
        ids.sort();
        assert_eq!(ids.map(|i| i.to_string()), ["1.2.1", "2.9", "2.10", "10.1.1", "12.1.2", "12.1.10"]);
    }

    #[test]
    fn a_section_does_not_select_the_sections_that_begin_with_its_digits() {
        let section = pattern("1.*");
        assert!(section.matches(id("1.1.1")) && section.matches(id("1.2.8")));
        assert!(!section.matches(id("10.1.1")) && !section.matches(id("12.1.1")));
        assert!(pattern("12.2.*").matches(id("12.2.18")));
        assert!(!pattern("12.2.*").matches(id("12.3.2")));
        assert!(!pattern("2.5.*").matches(id("2.5")));
        assert!(pattern("*").matches(id("9.8.6")));
    }

    #[test]
    fn an_exact_pattern_selects_one_case() {
        assert!(pattern("5.3").matches(id("5.3")));
        assert!(!pattern("5.3").matches(id("5.4")) && !pattern("5.1").matches(id("5.10")));
    }

    #[test]
    fn patterns_that_would_mean_something_else_are_refused() {
        for text in ["1*", "5", "", "*.*", "1.*.2", "1.2.3.*", ".*", "1.2*", "-1.*"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
        for text in ["*", "1.*", "12.2.*", "5.3", "12.2.3"] {
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    #[test]
    fn ranges_of_case_ids_are_parsed() {
        let spelled =
            |text| CaseId::range(text).map(|r| r.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(spelled("2.9-11").unwrap(), ["2.9", "2.10", "2.11"]);
        assert_eq!(spelled("6.4.1-2").unwrap(), ["6.4.1", "6.4.2"]);
        assert_eq!(spelled("5.1").unwrap(), ["5.1"]);
        for text in ["5.4-3", "5.4-", "5.4-x", "-3", "5.1-6.1", ""] {
            assert!(CaseId::range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_of_case_ids_are_printed() {
        assert_eq!(
            ranges(["2.1", "2.2", "2.3", "2.5", "12.3.7", "12.4.8"].map(id)),
            "2.1-3, 2.5, 12.3.7, 12.4.8"
        );
        assert_eq!(ranges([]), "");
    }
}
