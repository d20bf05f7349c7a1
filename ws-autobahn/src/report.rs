//! Reads the reports of the suite: `index.json` of a folder, and the file of each case.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    case::CaseId,
    verdict::{Behavior, CloseBehavior, Verdict},
};

/// What the suite reported for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The verdict in `index.json`.
    pub(crate) verdict: Verdict,
    /// The JSON report of the case; an HTML page of the same name is in the same folder.
    pub(crate) file: PathBuf,
}

impl Outcome {
    /// Returns the reason that the suite gives for the verdicts on the case and on its end.
    pub(crate) fn reason(&self) -> String {
        let Some(report) = read_json(&self.file).ok() else {
            return format!("its report {} cannot be read", self.file.display());
        };
        let says = |key| report.get(key).and_then(Value::as_str).unwrap_or("nothing").trim().to_owned();
        format!("{} / close: {}", says("result"), says("resultClose"))
    }

    /// Returns the path of the HTML page.
    pub(crate) fn page(&self) -> PathBuf {
        self.file.with_extension("html")
    }
}

/// Reads the results that the suite wrote to `folder`, which may be none.
///
/// # Errors
/// There is no readable `index.json`, it is about another agent, or it contains an unknown verdict.
pub(crate) fn read(folder: &Path, agent: &str) -> Result<BTreeMap<CaseId, Outcome>, String> {
    let path = folder.join("index.json");
    let index = read_json(&path).map_err(|e| format!("no report: {}: {e}", path.display()))?;
    outcomes(&index, folder, agent).map_err(|e| format!("{}: {e}", path.display()))
}

fn outcomes(index: &Value, folder: &Path, agent: &str) -> Result<BTreeMap<CaseId, Outcome>, String> {
    let agents = index.as_object().ok_or("not an object")?;
    if let Some(other) = agents.keys().find(|name| *name != agent) {
        return Err(format!("reports on {other:?}, not {agent:?}"));
    }
    let nothing = Map::new();
    let cases = match agents.get(agent) {
        Some(cases) => cases.as_object().ok_or("not an object of cases")?,
        None => &nothing,
    };
    let one = |(id, entry): (&String, &Value)| {
        let outcome = outcome(entry, folder).map_err(|e| format!("case {id}: {e}"))?;
        Ok((id.parse()?, outcome))
    };
    cases.iter().map(one).collect()
}

fn outcome(entry: &Value, folder: &Path) -> Result<Outcome, String> {
    let text = |key| entry.get(key).and_then(Value::as_str).ok_or(format!("{key} is missing"));
    let behavior = text("behavior")?;
    let close = text("behaviorClose")?;
    let code = match entry.get("remoteCloseCode") {
        Some(Value::Null) => None,
        Some(Value::Number(n)) => {
            let code = n.as_u64().and_then(|n| u16::try_from(n).ok());
            Some(code.ok_or(format!("remoteCloseCode is {n}"))?)
        }
        _ => return Err("remoteCloseCode is missing".to_owned()),
    };
    let verdict = Verdict {
        behavior: Behavior::from_name(behavior).ok_or(format!("behavior is {behavior:?}"))?,
        close: CloseBehavior::from_name(close).ok_or(format!("behaviorClose is {close:?}"))?,
        code,
    };
    Ok(Outcome { verdict, file: folder.join(text("reportfile")?) })
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|e| e.to_string())?;
    serde_json::from_slice(&text).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::role::Role;

    fn entry(behavior: &str, close: &str, code: Value) -> Value {
        json!({ "behavior": behavior, "behaviorClose": close, "remoteCloseCode": code, "duration": 3,
            "reportfile": "ws_server_case_1_1_1.json" })
    }

    fn read_index(index: &Value) -> Result<BTreeMap<CaseId, Outcome>, String> {
        outcomes(index, Path::new("folder"), Role::Server.agent())
    }

    #[test]
    fn verdicts_of_a_report_are_parsed() {
        let index = json!({ "ws-server": {
            "1.1.1": entry("OK", "OK", json!(1000)),
            "7.3.1": entry("NON-STRICT", "FAILED BY CLIENT", Value::Null),
        }});
        let read = read_index(&index).unwrap();
        let closed =
            Verdict { behavior: Behavior::NonStrict, close: CloseBehavior::FailedByClient, code: None };
        assert_eq!(read.len(), 2);
        assert_eq!(read[&"7.3.1".parse().unwrap()].verdict, closed);
        assert_eq!(read[&"1.1.1".parse().unwrap()].page(), Path::new("folder/ws_server_case_1_1_1.html"));
    }

    #[test]
    fn a_report_of_a_refused_connection_is_an_error() {
        assert_eq!(read_index(&json!({})).unwrap(), BTreeMap::new());
    }

    #[test]
    fn a_report_that_cannot_be_parsed_is_an_error() {
        let case = |entry: Value| json!({ "ws-server": { "1.1.1": entry } });
        for index in [
            json!([]),
            json!({ "ws-server": [] }),
            json!({ "somebody": {} }),
            json!({ "ws-server": { "one": entry("OK", "OK", json!(1000)) } }),
            case(entry("Pass", "OK", json!(1000))),
            case(entry("OK", "Pass", json!(1000))),
            case(entry("OK", "OK", json!("1000"))),
            case(entry("OK", "OK", json!(-1))),
            case(json!({})),
        ] {
            assert!(read_index(&index).is_err(), "{index}");
        }
    }

    #[test]
    fn a_folder_without_a_report_is_an_error() {
        assert!(
            read(Path::new("no such folder"), Role::Server.agent()).unwrap_err().starts_with("no report: ")
        );
    }
}
