//! JUnit XML, which CI services display: a test suite for each section, a test for each case.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    native::record::Record,
    table,
    verdict::{Behavior, CloseBehavior},
};

/// Formats the records of all agents as one document.
pub(crate) fn xml(agents: &BTreeMap<String, Vec<Record>>) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (agent, records) in agents {
        let mut sections: BTreeMap<u16, Vec<&Record>> = BTreeMap::new();
        records.iter().for_each(|record| sections.entry(record.id.section).or_default().push(record));
        for (section, records) in sections {
            suite(&mut text, agent, section, &records);
        }
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite(text: &mut String, agent: &str, section: u16, records: &[&Record]) {
    let failures = records.iter().filter(|record| record.has_failed()).count();
    let skipped = records.iter().filter(|record| is_skipped(record)).count();
    let seconds: f64 = records.iter().map(|record| record.duration.as_secs_f64()).sum();
    let name = escape(&format!("{agent} {section} {}", table::title(section)));
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">",
        records.len()
    );
    for record in records {
        let name = escape(&format!("{} {}", record.id, record.what));
        let seconds = record.duration.as_secs_f64();
        let head =
            format!("    <testcase classname=\"{}\" name=\"{name}\" time=\"{seconds:.3}\"", escape(agent));
        let (verdict, reason) = (record.verdict(), escape(&record.reason()));
        let _ = if record.has_failed() {
            let log: Vec<String> = record.log.lines().iter().map(ToString::to_string).collect();
            let log = escape(&log.join("\n"));
            writeln!(
                text,
                "{head}>\n      <failure message=\"{verdict}\">{reason}\n{log}</failure>\n    </testcase>"
            )
        } else if is_skipped(record) {
            writeln!(text, "{head}>\n      <skipped message=\"{reason}\"/>\n    </testcase>")
        } else if verdict.behavior == Behavior::Ok && verdict.close == CloseBehavior::Ok {
            writeln!(text, "{head}/>")
        } else {
            writeln!(text, "{head}>\n      <system-out>{verdict}: {reason}</system-out>\n    </testcase>")
        };
    }
    text.push_str("  </testsuite>\n");
}

fn is_skipped(record: &Record) -> bool {
    !record.has_failed() && record.verdict().behavior == Behavior::Unimplemented
}

/// Escapes text. XML 1.0 sections 2.2 and 2.4: some characters are markup, some are not allowed.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut text, c| {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\n' => text.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => text.push('\u{fffd}'),
            c => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::native::words::{case, echo};

    #[test]
    fn a_failed_case_is_a_junit_failure_with_its_log() {
        let case = case("5.3", "RFC 6455", "<two> fragments & \"more\"").ok([echo("a")]);
        let record = Record::not_open(&case, Default::default(), "refused\u{1}", Duration::from_millis(1500));
        let xml = xml(&BTreeMap::from([("a".to_owned(), vec![record])]));
        assert!(xml.contains("<testsuite name=\"a 5 Fragmentation\" tests=\"1\" failures=\"1\" skipped=\"0\" time=\"1.500\">"), "{xml}");
        assert!(xml.contains("name=\"5.3 &lt;two&gt; fragments &amp; &quot;more&quot;\""), "{xml}");
        assert!(xml.contains("refused\u{fffd}") && xml.contains("</failure>"), "{xml}");
        assert!(xml.ends_with("  </testsuite>\n</testsuites>\n"));
    }
}
