//! The results of the cases of a run, and the files that are written from them.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

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

/// The result of a case.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The case.
    pub(crate) id: CaseId,
    /// The description of the case.
    pub(crate) what: String,
    /// The rule that the case tests.
    pub(crate) rule: &'static str,
    /// The accepted behaviour, as text.
    pub(crate) expectation: String,
    /// The verdict, with reasons.
    pub(crate) judgement: Judgement,
    /// The duration.
    pub(crate) duration: Duration,
    /// The client's opening handshake, at most its first 16 KiB.
    pub(crate) request: String,
    /// The server's answer, at most its first 16 KiB.
    pub(crate) response: String,
    /// The wire log.
    pub(crate) log: Log,
}

impl Record {
    /// Creates the record of a case that was run.
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
            request: shortened(request),
            response: shortened(response),
            log,
        }
    }

    /// Creates the record of a case that could not be run.
    pub(crate) fn not_open(case: &Case, heads: (String, String), why: &str, duration: Duration) -> Self {
        let mut log = Log::new();
        log.note(why);
        Self::played(case, heads, Played { judgement: judge::never_open(why), log }, duration)
    }

    /// The verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        self.judgement.verdict
    }

    /// Whether the verdict fails a run; NON-STRICT, UNIMPLEMENTED and INFORMATIONAL do not.
    pub(crate) fn has_failed(&self) -> bool {
        fails(self.verdict())
    }

    /// Returns the reasons of the verdicts on the answers and on the end.
    pub(crate) fn reason(&self) -> String {
        format!("{} / close: {}", self.judgement.reason, self.judgement.close_reason)
    }

    /// Returns the entry in `index.json`.
    fn entry(&self, agent: &str) -> Value {
        json!({
            "behavior": self.verdict().behavior.name(),
            "behaviorClose": self.verdict().close.name(),
            "duration": millis(self.duration),
            "remoteCloseCode": self.verdict().code,
            "reportfile": file_name(agent, self.id),
        })
    }

    /// Returns the report of the case, with Autobahn's names where the meaning is the same.
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

/// Writes `index.json` in Autobahn's format, a file for each case, and the page `report.html`.
///
/// # Errors
/// A file cannot be written.
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

/// Returns the HTML page, a single file that contains all data.
fn page(role: Role, agents: &BTreeMap<String, Vec<Record>>) -> String {
    #[expect(clippy::disallowed_methods, reason = "a date is written; nothing is measured")]
    let made = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let agent = |(agent, records): (&String, &Vec<Record>)| {
        let cases: Vec<Value> = records.iter().map(|record| record.report(agent)).collect();
        json!({ "agent": agent, "role": role.name(), "made": made, "cases": cases })
    };
    let data: Value = agents.iter().map(agent).collect();
    // Nothing inside a script of HTML may look like its end tag.
    PAGE.replace("__DATA__", &data.to_string().replace('<', "\\u003c"))
}

const PAGE: &str = include_str!("report.html");

/// Returns the verdicts and the paths of the reports, for the comparison with the expectations.
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

/// Cuts off a head that is too long for a report: the cases about limits send endless ones.
fn shortened(mut head: String) -> String {
    const KEPT: usize = 16 << 10;
    let all = head.len();
    if all > KEPT {
        head.truncate(head.floor_char_boundary(KEPT));
        head.push_str(&format!("\n... ({all} bytes in all)"));
    }
    head
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
    fn an_endless_head_does_not_fill_the_report() {
        let case = case("5.3", "RFC 6455", "something").ok([echo("a")]);
        let heads = ("\u{e9}".repeat(1 << 20), "HTTP/1.1 101 Fine".to_owned());
        let record = Record::not_open(&case, heads, "refused", Duration::ZERO);
        assert!(record.request.len() < 17 << 10 && record.request.ends_with("(2097152 bytes in all)"));
        assert_eq!(record.response, "HTTP/1.1 101 Fine");
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
