//! Runs ws-autobahn with scripts in place of Autobahn's suite: only a complete run with the expected verdicts ends
//! with status 0.
#![cfg(unix)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const OK: &str =
    r#"{"behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000, "reportfile": "none.json"}"#;
const FAILED: &str =
    r#"{"behavior": "FAILED", "behaviorClose": "OK", "remoteCloseCode": 1000, "reportfile": "case.json"}"#;
const SILENT: &str =
    r#"{"behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": null, "reportfile": "none.json"}"#;

/// Runs the cases 1.1.1 and 1.1.2 for servers with `script` as the suite; `$out` is its folder of reports.
fn run(name: &str, script: &str) -> (Output, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let script_file = folder.join("script");
    fs::write(&script_file, script).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ws-autobahn"))
        .args(["--role", "server", "--cases", "1.1.1,1.1.2", "--stall", "2"])
        .args(["--wstest", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake-wstest")])
        .arg("--out")
        .arg(&folder)
        .env("FAKE_WSTEST", &script_file)
        .output()
        .unwrap();
    (output, folder)
}

fn report(cases: &[(&str, &str)]) -> String {
    let cases: Vec<String> = cases.iter().map(|(id, verdict)| format!("\"{id}\": {verdict}")).collect();
    format!("echo '{{\"ws-server\": {{{}}}}}' > \"$out/index.json\"", cases.join(", "))
}

/// Checks that the run ends with `status` and prints `words`.
fn expect(name: &str, script: &str, status: i32, words: &str) {
    let (output, _) = run(name, script);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_complete_run_as_expected_ends_with_0_and_a_summary() {
    let (output, folder) = run("complete", &report(&[("1.1.1", OK), ("1.1.2", OK)]));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
    let server = serde_json::json!({ "cases": 2, "ok": 2, "informational": 0, "non_strict": 0, "unimplemented": 0,
        "failed": [] });
    assert_eq!(summary, serde_json::json!({ "server": server }));
}

#[test]
fn a_failed_case_is_named_with_the_suites_reason() {
    let case = r#"echo '{"result": "Not what was sent.", "resultClose": "Clean."}' > "$out/case.json""#;
    let script = report(&[("1.1.1", OK), ("1.1.2", FAILED)]) + "\n" + case;
    expect("failed_case", &script, 1, "Not what was sent. / close: Clean.");
}

#[test]
fn a_case_without_a_close_code_has_failed() {
    expect(
        "silent",
        &report(&[("1.1.1", OK), ("1.1.2", SILENT)]),
        1,
        "server 1.1.2: OK, close OK without a code",
    );
}

#[test]
fn a_run_that_ends_half_way_has_failed() {
    expect("half", &report(&[("1.1.1", OK)]), 1, "1 cases have no report: 1.1.2");
}

#[test]
fn a_refused_connection_has_failed() {
    expect("refused", "echo '{}' > \"$out/index.json\"", 1, "2 cases have no report: 1.1.1-2");
}

#[test]
fn a_suite_that_writes_nothing_has_failed() {
    expect("nothing", "", 1, "no report");
}

#[test]
fn complete_reports_do_not_hide_a_failed_exit_status() {
    let script = report(&[("1.1.1", OK), ("1.1.2", OK)]) + "\nexit 7";
    expect("status", &script, 1, "wstest ended with exit status: 7");
}

#[test]
fn a_suite_that_hangs_is_stopped_at_the_limit() {
    let script = "echo 'Running test case ID 1.1.2 for agent ws-server'; exec sleep 600";
    expect("hangs", script, 1, "stopped at 1.1.2: nothing happened for 2 s");
}

#[test]
fn a_case_that_was_not_requested_is_named() {
    let script = report(&[("1.1.1", OK), ("1.1.2", OK), ("1.1.3", OK)]);
    expect("stray", &script, 1, "reported, but not requested or unknown: 1.1.3");
}

#[test]
fn a_program_that_is_not_the_suite_is_not_run() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_suite");
    let output = Command::new(env!("CARGO_BIN_EXE_ws-autobahn"))
        .args(["--wstest", "/bin/sh", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("nothing was tested") && said.contains("--wstest /bin/sh"), "{said}");
    assert!(!out.join("summary.json").exists());
}

#[test]
fn without_an_installer_the_error_names_what_to_install() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no_install");
    let _ = fs::remove_dir_all(&out);
    let output = Command::new(env!("CARGO_BIN_EXE_ws-autobahn"))
        .env("PATH", "/nowhere")
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("install with Python 2") && said.contains("install with Python 3"), "{said}");
    assert!(said.contains("apt-get install gcc debian-archive-keyring python3"), "{said}");
    assert!(!out.join("summary.json").exists());
}
