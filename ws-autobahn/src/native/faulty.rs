//! Runs every case against a correct peer and against peers that are deliberately broken, to show that every case can
//! fail.

mod fault;
mod peer;
mod table;

use std::collections::BTreeSet;

use crate::{
    case::{CaseId, Pattern},
    expectations::Expectations,
    native::{
        against_client::Fuzzer,
        against_server::on_stream,
        cases,
        play::Patience,
        record::Record,
        script::Case,
        target::{Address, Version},
    },
    role::Role,
    verdict::{Behavior, CloseBehavior},
};

pub(crate) use fault::Fault;

use table::{HOPELESS, OPEN, SERVER_TABLE, TABLE};

/// Small, so that the cases about compression are fast without optimization.
const VOLUME: usize = 4 << 10;

const PATIENCE: Patience =
    Patience { answer: std::time::Duration::from_secs(5), stall: std::time::Duration::from_secs(10) };

/// Returns the cases that a row of the table names.
fn named(words: &[&str]) -> BTreeSet<CaseId> {
    let all: Vec<CaseId> = cases::all(VOLUME).iter().map(|case| case.id).collect();
    let of = |word: &&str| -> Vec<CaseId> {
        if word.ends_with('*') {
            let pattern: Pattern = word.parse().unwrap();
            all.iter().copied().filter(|id| pattern.matches(*id)).collect()
        } else {
            CaseId::range(word).unwrap()
        }
    };
    let ids: BTreeSet<CaseId> = words.iter().flat_map(of).collect();
    assert!(ids.iter().all(|id| all.contains(id)), "{words:?}");
    ids
}

/// Runs a case against a peer with a fault.
async fn play(role: Role, case: &Case, fault: Fault) -> Record {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    match role {
        Role::Server => {
            let address = Address::of(([127, 0, 0, 1], 1).into());
            let (record, ()) =
                tokio::join!(on_stream(ours, &address, case, PATIENCE), peer::run(theirs, role, fault));
            record
        }
        Role::Client => {
            let fuzzer = Fuzzer::new(vec![case.clone()], Version::Http1, PATIENCE);
            tokio::join!(fuzzer.on_stream(ours), peer::run(theirs, role, fault));
            let records = fuzzer.records().remove("faulty");
            match records.and_then(|mut records| records.pop()) {
                Some(record) => record,
                None => Record::not_open(case, Default::default(), "no case was run", Default::default()),
            }
        }
    }
}

fn is_ok(record: &Record) -> bool {
    let verdict = record.verdict();
    verdict.behavior == Behavior::Ok && verdict.close == CloseBehavior::Ok
}

/// Runs the cases `ids` against a peer with the fault and returns those that pass nevertheless.
async fn all_fail(role: Role, fault: Fault, ids: &BTreeSet<CaseId>) -> Vec<String> {
    let mut passed = Vec::new();
    for case in cases::all(VOLUME).iter().filter(|case| ids.contains(&case.id)) {
        let record = play(role, case, fault).await;
        if is_ok(&record) {
            passed.push(format!("{role} {} passes despite {fault:?}", case.id));
        }
    }
    passed
}

async fn cases_of_the_table_fail(table: &[(Fault, &[&str])], role: Role) {
    let mut passed = Vec::new();
    for (fault, words) in table {
        passed.extend(all_fail(role, *fault, &named(words)).await);
    }
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

async fn a_correct_peer_passes(role: Role) {
    let expectations = Expectations::load().unwrap();
    let mut wrong = Vec::new();
    for case in cases::all(VOLUME) {
        let record = play(role, &case, Fault::Faultless).await;
        let expected = expectations.of(role)[&case.id];
        if record.verdict() != expected {
            wrong.push(format!("{role} {}: {}, {}", case.id, record.verdict(), record.reason()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_correct_server_passes_every_case_with_the_codes_of_the_rfc() {
    a_correct_peer_passes(Role::Server).await;
}

#[tokio::test(start_paused = true)]
async fn a_correct_client_passes_every_case_with_the_codes_of_the_rfc() {
    a_correct_peer_passes(Role::Client).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_fault_fails_the_cases_about_it() {
    cases_of_the_table_fail(TABLE, Role::Server).await;
    cases_of_the_table_fail(SERVER_TABLE, Role::Server).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_fault_fails_the_cases_about_it() {
    cases_of_the_table_fail(TABLE, Role::Client).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_opens_fails_every_case_that_can_fail() {
    for role in Role::ALL {
        let mut ids: BTreeSet<CaseId> = cases::all(VOLUME).iter().map(|case| case.id).collect();
        ids.retain(|id| role == Role::Server || id.section < 9);
        for fault in HOPELESS {
            assert_eq!(all_fail(role, *fault, &ids).await, Vec::<String>::new());
        }
    }
}

#[test]
fn every_case_fails_for_some_fault_except_those_that_the_rfc_leaves_open() {
    let mut covered: BTreeSet<CaseId> = TABLE.iter().flat_map(|(_, words)| named(words)).collect();
    covered.extend(named(&OPEN));
    let all: BTreeSet<CaseId> = cases::all(VOLUME).iter().map(|case| case.id).collect();
    let uncovered: Vec<CaseId> = all.difference(&covered).copied().collect();
    assert_eq!(uncovered, []);
}
