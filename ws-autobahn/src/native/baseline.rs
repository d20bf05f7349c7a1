//! A baseline: the verdicts of an earlier run; only verdicts that are worse than these fail a run.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{
    case::CaseId,
    native::record::Record,
    verdict::{Behavior, CloseBehavior},
};

/// The grades of an earlier run.
#[derive(Debug)]
pub(crate) struct Baseline(BTreeMap<CaseId, (Behavior, CloseBehavior)>);

/// The differences from the baseline.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Cases that are worse, or that failed and are not in the baseline, as text.
    pub(crate) worse: Vec<String>,
    /// Cases that are better, as text.
    pub(crate) better: Vec<String>,
}

impl Baseline {
    /// Reads an `index.json` of this program or of Autobahn with one agent.
    ///
    /// # Errors
    /// The file cannot be read, or is not such a file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |what: &dyn std::fmt::Display| {
            format!(
                "--baseline {}: {what}; pass the index.json of an earlier run, from native/ in its --out",
                path.display()
            )
        };
        let text = fs::read(path).map_err(|e| wrong(&e))?;
        let value: Value = serde_json::from_slice(&text).map_err(|e| wrong(&e))?;
        Self::parse(&value).map_err(|e| wrong(&e))
    }

    fn parse(index: &Value) -> Result<Self, String> {
        let agents = index.as_object().ok_or("it is not an object")?;
        let cases = match agents.values().collect::<Vec<_>>()[..] {
            [cases] => cases.as_object().ok_or("its agent is not an object")?,
            _ => return Err(format!("it has {} agents, not one", agents.len())),
        };
        let grade = |(id, entry): (&String, &Value)| {
            let name = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let behavior = Behavior::from_name(name("behavior"));
            let close = CloseBehavior::from_name(name("behaviorClose"));
            let grades = behavior.zip(close).ok_or_else(|| format!("case {id} has no verdict"))?;
            Ok((id.parse()?, grades))
        };
        Ok(Self(cases.iter().map(grade).collect::<Result<_, String>>()?))
    }

    /// Compares a run with the baseline.
    pub(crate) fn changes(&self, records: &[Record]) -> Changes {
        let mut changes = Changes::default();
        for record in records {
            let verdict = record.verdict();
            match self.0.get(&record.id) {
                None if record.has_failed() => {
                    changes.worse.push(format!("{}: {verdict}; not in the baseline", record.id));
                }
                None => {}
                Some((behavior, close)) => {
                    let was = format!("{}, close {}", behavior.name(), close.name());
                    if verdict.behavior < *behavior || verdict.close < *close {
                        changes.worse.push(format!(
                            "{}: {verdict}; was {was}\n    {}",
                            record.id,
                            record.reason()
                        ));
                    } else if verdict.behavior > *behavior || verdict.close > *close {
                        changes.better.push(format!("{}: {verdict}; was {was}", record.id));
                    }
                }
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::native::words::{case, echo};

    fn failed(id: &str) -> Record {
        let case = case(id, "RFC 6455", "something").ok([echo("a")]);
        Record::not_open(&case, Default::default(), "refused", Duration::ZERO)
    }

    fn entry(behavior: &str, close: &str) -> Value {
        json!({ "behavior": behavior, "behaviorClose": close, "remoteCloseCode": 1000 })
    }

    #[test]
    fn only_verdicts_worse_than_the_baseline_count() {
        let index = json!({ "a": { "1.1.1": entry("OK", "OK"), "1.1.2": entry("FAILED", "FAILED"),
            "1.1.3": entry("UNIMPLEMENTED", "FAILED") } });
        let baseline = Baseline::parse(&index).unwrap();
        let changes = baseline.changes(&["1.1.1", "1.1.2", "1.1.3", "1.1.4"].map(failed));
        let worse: Vec<&str> = changes.worse.iter().map(|words| &words[..5]).collect();
        assert_eq!(worse, ["1.1.1", "1.1.3", "1.1.4"]);
        assert!(changes.better.is_empty());
        assert!(changes.worse[0].contains("was OK, close OK"), "{:?}", changes.worse);
    }

    #[test]
    fn a_file_that_is_not_a_baseline_is_refused_with_what_to_pass() {
        for wrong in [json!([]), json!({}), json!({ "a": {}, "b": {} }), json!({ "a": { "1.1.1": {} } })] {
            assert!(Baseline::parse(&wrong).is_err(), "{wrong}");
        }
        let error = Baseline::read(Path::new("no such file")).unwrap_err();
        assert!(error.starts_with("--baseline no such file: ") && error.contains("index.json"), "{error}");
    }
}
