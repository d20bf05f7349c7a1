//! What came of the cases of a run: records, and the files that are written of them.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    case::CaseId,
    native::{
        judge::{self, Judgement},
        log::Log,
        play::Played,
        script::Case,
    },
    report::Outcome,
    role::Role,
    verdict::{Behavior, CloseBehavior, Verdict},
};

/// What came of a case.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The case.
    pub(crate) id: CaseId,
    /// What it does.
    pub(crate) what: String,
    /// What it is about.
    pub(crate) rule: &'static str,
    /// What was expected.
    pub(crate) expectation: String,
    /// The verdict, with reasons.
    pub(crate) judgement: Judgement,
    /// How long it took.
    pub(crate) duration: Duration,
    /// The client's opening handshake as it was sent.
    pub(crate) request: String,
    /// The server's answer.
    pub(crate) response: String,
    /// What happened then.
    pub(crate) log: Log,
}

impl Record {
    /// A case that was played.
    pub(crate) fn played(case: &Case, heads: (String, String), played: Played, duration: Duration) -> Self {
        let Played { judgement, log } = played;
        let (request, response) = heads;
        Self {
            id: case.id,
            what: case.what.clone(),
            rule: case.rule,
            expectation: case.expectation(),
            judgement,
            duration,
            request,
            response,
            log,
        }
    }

    /// A case that could not be played.
    pub(crate) fn not_open(case: &Case, heads: (String, String), why: &str, duration: Duration) -> Self {
        let mut log = Log::new();
        log.note(why);
        Self::played(case, heads, Played { judgement: judge::never_open(why), log }, duration)
    }

    /// The verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// Whether the verdict is one that fails a run: NON-STRICT, UNIMPLEMENTED and INFORMATIONAL do not.
    pub(crate) fn has_failed(&self) -> bool {
        fails(self.verdict())
    }

    /// Why, in words: of the answers and of the end.
    pub(crate) fn reason(&self) -> String {
        format!("{} / close: {}", self.judgement.reason, self.judgement.close_reason)
    }

    /// The entry in `index.json`.
    fn entry(&self, agent: &str) -> Value {
        json!({
            "behavior": self.verdict().behavior.name(),
            "behaviorClose": self.verdict().close.name(),
            "duration": millis(self.duration),
            "remoteCloseCode": self.verdict().code,
            "reportfile": file_name(agent, self.id),
        })
    }

    /// The report of the case; the names are Autobahn's where the meaning is.
    fn report(&self, agent: &str) -> Value {
        json!({
            "agent": agent,
            "id": self.id.to_string(),
            "description": self.what,
            "rule": self.rule,
            "expectation": self.expectation,
            "behavior": self.verdict().behavior.name(),
            "behaviorClose": self.verdict().close.name(),
            "remoteCloseCode": self.verdict().code,
            "result": self.judgement.reason,
            "resultClose": self.judgement.close_reason,
            "duration": millis(self.duration),
            "httpRequest": self.request,
            "httpResponse": self.response,
            "wirelog": self.log.json(),
        })
    }
}

/// Whether a verdict fails a run.
pub(crate) fn fails(verdict: Verdict) -> bool {
    let informational = verdict.behavior == Behavior::Informational;
    verdict.behavior == Behavior::Failed || (!informational && verdict.close < CloseBehavior::Informational)
}

/// Writes `index.json` in Autobahn's form, beside it a file for each case, and the page `report.html`.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn write(folder: &Path, role: Role, agents: &BTreeMap<String, Vec<Record>>) -> Result<(), String> {
    let to_file = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    let to = |name: &str, value: &Value| {
        to_file(name, serde_json::to_string_pretty(value).map_err(|e| e.to_string())? + "\n")
    };
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut index = serde_json::Map::new();
    for (agent, records) in agents {
        let entries = records.iter().map(|record| (record.id.to_string(), record.entry(agent)));
        index.insert(agent.clone(), Value::Object(entries.collect()));
        for record in records {
            to(&file_name(agent, record.id), &record.report(agent))?;
        }
    }
    to_file("report.html", page(role, agents))?;
    to("index.json", &Value::Object(index))
}

/// The page for people: one file, with all that it shows.
fn page(role: Role, agents: &BTreeMap<String, Vec<Record>>) -> String {
    let agent = |(agent, records): (&String, &Vec<Record>)| {
        let cases: Vec<Value> = records.iter().map(|record| record.report(agent)).collect();
        json!({ "agent": agent, "role": role.name(), "cases": cases })
    };
    let data: Value = agents.iter().map(agent).collect();
    // Within a script of HTML nothing may look like its end.
    PAGE.replace("__DATA__", &data.to_string().replace('<', "\\u003c"))
}

const PAGE: &str = include_str!("report.html");

/// For the comparison with what is expected: the verdicts, and where the reports lie.
pub(crate) fn outcomes(folder: &Path, agent: &str, records: &[Record]) -> BTreeMap<CaseId, Outcome> {
    let outcome = |record: &Record| {
        let file = folder.join(file_name(agent, record.id));
        (record.id, Outcome { verdict: record.verdict(), file })
    };
    records.iter().map(outcome).collect()
}

fn file_name(agent: &str, id: CaseId) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let agent: String = agent.chars().map(plain).collect();
    format!("{agent}_case_{}.json", id.to_string().replace('.', "_"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        native::words::{case, echo},
        report,
    };

    #[test]
    fn a_native_report_is_parsed_as_a_report_of_autobahn() {
        let folder = std::env::temp_dir().join(format!("ws-autobahn-record-{}", std::process::id()));
        let case = case("5.3", "RFC 6455", "something").ok([echo("a")]);
        let record =
            Record::not_open(&case, (String::new(), String::new()), "refused", Duration::from_millis(7));
        let agent = Role::Server.agent().to_owned();
        write(&folder, Role::Server, &BTreeMap::from([(agent.clone(), vec![record.clone()])])).unwrap();
        let read = report::read(&folder, &agent).unwrap();
        assert_eq!(read, outcomes(&folder, &agent, &[record]));
        let outcome = &read[&"5.3".parse().unwrap()];
        assert_eq!(outcome.reason(), "the opening handshake was never completed / close: refused");
        let page = fs::read_to_string(folder.join("report.html")).unwrap();
        assert!(page.contains(r#""agent":"ws-server""#) && !page.contains("__DATA__"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_a_peer_sends_cannot_end_the_script_of_the_page() {
        let case = case("5.3", "RFC 6455", "something").ok([echo("a")]);
        let heads = ("</script><b>".to_owned(), String::new());
        let record = Record::not_open(&case, heads, "refused", Duration::ZERO);
        let page = page(Role::Server, &BTreeMap::from([("a".to_owned(), vec![record])]));
        assert!(page.contains(r"\u003c/script>\u003cb>") && !page.contains("</script><b>"));
    }
}
