//! `load --most` and `load --growth`, with few connections.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::process::command;

#[allow(dead_code, reason = "a part of it is tested")]
#[path = "../../examples/load/times.rs"]
mod times;

#[test]
fn the_times_of_a_load_are_the_same_after_they_were_written_as_text_and_added_up() {
    let (mut even, mut odd) = (times::Times::default(), times::Times::default());
    for micros in 1..=1_000_000 {
        if micros % 2 == 0 { even.record(micros) } else { odd.record(micros) }
    }
    let mut all: times::Times = even.to_string().parse().unwrap();
    all.add(&odd.to_string().parse().unwrap());
    assert_eq!((all.total(), all.longest().as_micros()), (1_000_000, 1_000_000));
    for (share, exact) in [(0.00001, 10.0), (0.5, 500_000.0), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
        let within = all.within(share).as_micros() as f64;
        assert!((exact..=exact * 1.035).contains(&within), "{share}: {within}");
    }
}

/// 900 connections, which need six processes of the server where each may have 1,000 descriptors.
const MOST: [&str; 8] = ["--most", "900", "--per-process", "1000", "--idle", "1", "--seconds", "2"];

/// Runs `load` to its end, and returns whether it has succeeded, its report, and what it said of errors.
fn run(arguments: &[&str]) -> (bool, String, String) {
    let output = command("load").args(arguments).stderr(Stdio::piped()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_load_of_the_most_connections_loses_nothing_over_several_processes() {
    let (success, report, errors) = run(&MOST);
    assert!(success, "{report}\n{errors}");
    assert!(report.contains("6 server processes share a port"), "{report}");
    for row in [
        "| connections | 900 |",
        "| broadcast 3 | 900 received, 0 lost;",
        "900 closed, 0 cut off; 900 clients received Close 1001 and then the end |",
        "| lost | 0 connections ; 0 messages |",
    ] {
        assert!(report.contains(row), "no {row:?} in\n{report}");
    }
    // 90 a second for two seconds.
    assert!(report.contains(" | 180 sent in "), "{report}");
}

#[test]
fn the_load_reports_lost_echoes_and_broadcasts_and_fails() {
    let (success, report, errors) = run(&[&MOST[..], &["--patience", "3", "--lose", "20"]].concat());
    assert!(!success, "{report}");
    // Echoes and members are counted in each process.
    let lost = |row: &str| {
        let line = report
            .lines()
            .find(|line| line.starts_with(row))
            .unwrap_or_else(|| panic!("no {row:?} in {report}"));
        let before = line.split(" lost").next().unwrap();
        before.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(lost("| a random tenth") > 0, "{report}");
    for number in 1..=3 {
        let lost = lost(&format!("| broadcast {number} |"));
        assert!((30..=60).contains(&lost), "{lost} of 900 members are not left out\n{report}");
    }
    assert!(errors.contains("0 connections and ") && errors.contains(" messages were lost"), "{errors}");
}

#[test]
fn the_load_stops_opening_at_the_memory_that_it_leaves_and_says_so() {
    // No machine has a tebibyte to leave.
    let (success, report, errors) = run(&[&MOST[..], &["--reserve", "1048576"]].concat());
    assert!(!success, "{report}");
    assert!(
        report.contains("memory: less than 1048576 MiB are available, the reserve"),
        "{report}\n{errors}"
    );
}

#[test]
fn the_growth_of_a_load_has_a_row_for_each_number_and_handler() {
    let (success, report, errors) = run(&["--growth", "100,300", "--idle", "1", "--seconds", "1"]);
    assert!(success, "{report}\n{errors}");
    for row in
        ["| 100 | 1 | README's echo |", "| 300 | 1 | README's echo |", "| 300 | 1 | member of a broadcast |"]
    {
        let found = report.lines().find(|line| line.starts_with(row));
        assert!(found.is_some_and(|row| row.ends_with("| 0  |")), "no {row:?} without losses in\n{report}");
    }
}

/// Waits until the process and all of its processes have ended: they share its standard error.
fn all_have_ended(mut load: Child) {
    let (ended, end) = channel();
    let mut errors = load.stderr.take().unwrap();
    thread::spawn(move || {
        let mut rest = String::new();
        ended.send(errors.read_to_string(&mut rest))
    });
    end.recv_timeout(Duration::from_secs(60)).expect("a process remains").unwrap();
    load.wait().unwrap();
}

#[test]
fn killing_a_load_ends_all_of_its_processes() {
    // Not INT, which a shell has the programs ignore that it starts in the background, tests among them.
    for signal in ["KILL", "TERM"] {
        let idle = ["--most", "900", "--per-process", "1000", "--idle", "300"];
        let mut load = command("load").args(idle).stderr(Stdio::piped()).spawn().unwrap();
        let mut report = BufReader::new(load.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("| opening |") {
            line.clear();
            assert!(report.read_line(&mut line).unwrap() > 0, "it has ended");
        }
        let kill = std::process::Command::new("kill").args(["-s", signal, &load.id().to_string()]).status();
        assert!(kill.unwrap().success());
        all_have_ended(load);
    }
}
