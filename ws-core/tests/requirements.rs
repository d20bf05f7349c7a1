//! Documents that promise tests: every test they name exists, and REQUIREMENTS.md has every rule of the RFCs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How many MUSTs, and SHOULDs (with what is RECOMMENDED), each section of the RFCs has.
const RULES: [(&str, usize, usize); 48] = [
    ("6455 section 3", 2, 0),
    ("6455 section 4.1", 39, 3),
    ("6455 section 4.2.1", 1, 1),
    ("6455 section 4.2.2", 10, 0),
    ("6455 section 4.3", 1, 0),
    ("6455 section 4.4", 1, 0),
    ("6455 section 5.1", 4, 0),
    ("6455 section 5.2", 10, 0),
    ("6455 section 5.3", 4, 0),
    ("6455 section 5.4", 10, 0),
    ("6455 section 5.5", 2, 0),
    ("6455 section 5.5.1", 6, 2),
    ("6455 section 5.5.2", 1, 1),
    ("6455 section 5.6", 1, 0),
    ("6455 section 5.8", 1, 0),
    ("6455 section 6.1", 8, 0),
    ("6455 section 6.2", 5, 0),
    ("6455 section 7.1.1", 0, 4),
    ("6455 section 7.1.2", 1, 1),
    ("6455 section 7.1.7", 3, 3),
    ("6455 section 7.2.1", 2, 1),
    ("6455 section 7.2.2", 1, 0),
    ("6455 section 7.2.3", 0, 3),
    ("6455 section 7.3", 0, 1),
    ("6455 section 7.4.1", 3, 1),
    ("6455 section 8.1", 1, 0),
    ("6455 section 9", 2, 0),
    ("6455 section 9.1", 5, 0),
    ("6455 section 10.2", 0, 2),
    ("6455 section 10.3", 1, 0),
    ("6455 section 10.4", 1, 1),
    ("6455 section 10.6", 1, 1),
    ("6455 section 10.7", 1, 2),
    ("6455 section 11.1", 4, 0),
    ("6455 section 11.3", 5, 0),
    ("6455 (lower case)", 0, 0),
    ("7692 section 4", 2, 0),
    ("7692 section 5", 11, 0),
    ("7692 section 6.1", 4, 0),
    ("7692 section 6.2", 2, 0),
    ("7692 section 7", 2, 0),
    ("7692 section 7.1.1", 1, 1),
    ("7692 section 7.1.2", 5, 0),
    ("7692 section 7.2.1", 7, 0),
    ("7692 section 7.2.2", 6, 0),
    ("7692 section 7.3", 0, 1),
    ("7692 (lower case)", 0, 0),
    ("all", 177, 29),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The Markdown files of the repository and of its members.
fn documents() -> Vec<PathBuf> {
    let directories = [
        ".",
        "ws-core",
        "ws-tokio",
        "ws-topics",
        "ws-topics/docs",
        "ws-server",
        "ws-client",
        "ws-cli",
        "ws-autobahn",
        "ws-samples",
        "fuzz",
        "bench",
        "interop",
    ];
    let files = directories.iter().flat_map(|directory| fs::read_dir(root().join(directory)).unwrap());
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect()
}

/// What stands between backquotes and names a test: `file.rs::test`.
fn references(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::"))
}

/// What stands between backquotes and names a step of a script: `script.sh::step`.
fn steps(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".sh::"))
}

/// Whether a script has a step of this name.
fn is_step(script: &Path, name: &str) -> bool {
    let Ok(source) = fs::read_to_string(script) else { return false };
    ["step", "check"].iter().any(|word| source.contains(&format!("{word} \"{name}\" ")))
}

/// Whether a file has a function of this name under an attribute that makes it a test.
fn is_test(file: &Path, name: &str) -> bool {
    let Ok(source) = fs::read_to_string(file) else { return false };
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above);
    above
        .lines()
        .rev()
        .take_while(|line| line.trim_start().starts_with("#["))
        .any(|line| line.contains("test"))
}

#[test]
fn every_test_and_step_that_a_document_names_exists() {
    let mut named = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (file, name) in references(&text) {
            let file = format!("{file}.rs");
            assert!(is_test(&root().join(&file), name), "{}: there is no {file}::{name}", document.display());
            named += 1;
        }
        for (script, name) in steps(&text) {
            let script = format!("{script}.sh");
            let found = is_step(&root().join(&script), name);
            assert!(found, "{}: there is no step {name:?} in {script}", document.display());
        }
    }
    assert!(named > 200, "{named} tests are named");
}

#[test]
fn every_statement_about_what_topics_lose_names_a_test() {
    let text = fs::read_to_string(root().join("ws-topics/docs/guarantees.md")).unwrap();
    let mut statements = 0;
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| statement ")) {
        let (statement, tests) = row.trim_matches('|').rsplit_once(" | ").unwrap_or_else(|| panic!("{row}"));
        let is_tested = references(tests).next().is_some() || steps(tests).next().is_some();
        assert!(is_tested, "no test: {statement}");
        statements += 1;
    }
    assert!(statements > 40, "{statements} statements");
}

#[test]
fn every_rule_of_the_rfcs_is_listed_and_checked_or_explained() {
    let text = fs::read_to_string(root().join("ws-core/REQUIREMENTS.md")).unwrap();
    let mut found = BTreeMap::<&str, (usize, usize)>::new();
    for section in text.split("\n### ").skip(1) {
        let (title, table) = section.split_once('\n').unwrap();
        let count = found.entry(title).or_default();
        for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let (rule, checks) = row.trim_matches('|').rsplit_once(" | ").unwrap_or_else(|| panic!("{row}"));
            let explained =
                ["**Does not apply**", "**Not followed**"].iter().any(|start| checks.starts_with(start));
            assert!(
                explained || references(checks).next().is_some(),
                "no test and no reason: {title}: {rule}"
            );
            count.0 += rule.matches("MUST").count();
            count.1 += rule.matches("SHOULD").count() + rule.matches("RECOMMENDED").count();
        }
    }
    let all = found.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    found.insert("all", all);
    let expected = RULES.map(|(title, must, should)| (title, (must, should)));
    assert_eq!(found, BTreeMap::from(expected));
}
