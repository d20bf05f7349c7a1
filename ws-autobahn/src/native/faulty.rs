//! Every case against a peer that does what the case wants, and against one that is deliberately broken: no case can
//! only pass.

mod peer;

use std::collections::BTreeSet;

use crate::{
    case::{CaseId, Pattern},
    expectations::Expectations,
    native::{
        against_client::Fuzzer, against_server::on_stream, cases, play::Patience, record::Record,
        script::Case, target::Address,
    },
    role::Role,
    verdict::{Behavior, CloseBehavior},
};

/// What a broken peer does wrong; otherwise it is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Faultless,
    /// Changes the last byte of each echo.
    CorruptsEchoes,
    /// Sends text back as binary, and binary as text.
    SwapsKinds,
    /// Sends each message back twice.
    EchoesTwice,
    /// Does not send empty messages back.
    DropsEmptyMessages,
    /// Sends no more than 65535 bytes of a message back.
    CutsLongMessages,
    /// Sends the last fragment back for the message.
    KeepsTheLastFragment,
    /// Loses the part of a frame that a read ends with.
    NeedsWholeFrames,
    /// Does not answer Pings.
    NeverPongs,
    /// Answers Pings without their payload.
    PongsEmpty,
    /// Answers a Ping when the message that it came within is complete.
    PongsLate,
    /// Answers Pongs with Pongs.
    AnswersPongs,
    /// Takes control frames of more than 125 bytes.
    TakesLongControlFrames,
    /// Takes control frames in fragments.
    TakesControlFragments,
    /// Takes all frames whatever their reserved bits.
    TakesReservedBits,
    /// Passes over frames with reserved opcodes.
    PassesReservedOpcodes,
    /// Passes over continuations of nothing.
    PassesStrayContinuations,
    /// Takes a new message inside another as its continuation.
    TakesMessagesInside,
    /// Does not send what was echoed before a fault.
    LosesEchoesWhenFailing,
    /// Takes text that is not UTF-8.
    TakesAnyText,
    /// Notices that text is not UTF-8 when the message is complete.
    ChecksTextAtTheEnd,
    /// Fails the connection with 1000.
    FailsAsIfAllWereWell,
    /// Does not answer a Close.
    NeverCloses,
    /// Ends the TCP connection instead of answering a Close.
    DropsInsteadOfClosing,
    /// Answers a Close with a code that was not sent.
    ClosesWithAnotherCode,
    /// Answers what follows a Close, and then the Close.
    GoesOnAfterClose,
    /// Answers a Close with any code with the same.
    TakesAnyCode,
    /// Takes a Close with a body of one byte.
    TakesOneByteCloses,
    /// Takes a Close with a reason that is not UTF-8.
    TakesAnyReason,
    /// Closes at once when the connection is open.
    ClosesAtOnce,
    /// Does not end the TCP connection, though it is the server.
    LeavesTcpOpen,
    /// Answers the opening handshake with nonsense.
    AnswersNonsense,
    /// Never answers the opening handshake.
    Hangs,
    /// Does not know permessage-deflate.
    NoDeflate,
    /// Forgets the window of the other side after each message, though it must not.
    ForgetsTheWindow,
    /// Keeps its own window from message to message, though it must not.
    KeepsTheWindow,
}

use Fault::*;

/// Faults, and the cases that fail because of each, in both roles. Ranges as in `expectations.txt`.
const TABLE: &[(Fault, &[&str])] = &[
    (
        CorruptsEchoes,
        &[
            "1.1.2-8",
            "1.2.2-8",
            "3.2-4",
            "4.1.3-5",
            "4.2.3-5",
            "5.3-8",
            "5.15",
            "5.19-20",
            "6.1.3",
            "6.2.1-4",
            "6.5.1-5",
            "6.6.2",
            "6.6.5",
            "6.6.7",
            "6.6.9",
            "6.6.11",
            "6.7.1-4",
            "6.9.1-4",
            "6.11.1-4",
            "6.22.1-34",
            "6.23.1-7",
            "7.1.1",
            "9.1.*",
            "9.2.*",
            "9.3.*",
            "9.4.*",
            "9.5.*",
            "9.6.*",
            "9.7.2-6",
            "9.8.2-6",
            "10.1.1",
            "12.*",
            "13.*",
        ],
    ),
    (SwapsKinds, &["1.*", "5.3-8", "6.1.1-3", "6.2.1-4", "6.5.1-5", "7.1.1", "9.7.*", "9.8.*", "10.1.1"]),
    (EchoesTwice, &["1.*", "3.2-4", "4.1.3-5", "5.15", "9.7.*", "9.8.*"]),
    (DropsEmptyMessages, &["1.1.1", "1.2.1", "6.1.1-2", "9.7.1", "9.8.1"]),
    (
        CutsLongMessages,
        &["1.1.7-8", "1.2.7-8", "9.1.1", "9.2.1", "9.3.5", "9.4.5", "9.5.6", "9.6.6", "10.1.1", "12.1.9-10"],
    ),
    (
        KeepsTheLastFragment,
        &[
            "5.3-8",
            "5.15",
            "5.19-20",
            "6.1.3",
            "6.2.2-4",
            "9.3.5",
            "9.4.5",
            "10.1.1",
            "12.1.11-17",
            "12.5.11-18",
        ],
    ),
    (
        NeedsWholeFrames,
        &["1.1.8", "1.2.8", "2.6", "2.11", "3.4", "4.1.5", "4.2.5", "5.5", "5.8", "9.5.1", "9.6.1"],
    ),
    (NeverPongs, &["2.1-4", "2.6", "2.9-11", "5.6-8", "5.19-20"]),
    (PongsEmpty, &["2.2-4", "2.6", "2.9-11", "5.6-8", "5.19-20"]),
    (PongsLate, &["5.6-8", "5.19-20"]),
    (AnswersPongs, &["2.7-9"]),
    (TakesLongControlFrames, &["2.5", "7.3.6"]),
    (TakesControlFragments, &["5.1-2"]),
    (TakesReservedBits, &["3.1-6"]),
    (PassesReservedOpcodes, &["4.1.1-5", "4.2.1-5"]),
    (PassesStrayContinuations, &["5.9-17"]),
    (TakesMessagesInside, &["5.18"]),
    (LosesEchoesWhenFailing, &["3.2-4", "4.1.3-5", "4.2.3-5", "5.15"]),
    (
        TakesAnyText,
        &[
            "6.3.1-2",
            "6.4.1-4",
            "6.6.1",
            "6.6.3-4",
            "6.6.6",
            "6.6.8",
            "6.6.10",
            "6.8.1-2",
            "6.10.1-3",
            "6.11.5",
            "6.12.1-8",
            "6.13.1-5",
            "6.14.1-10",
            "6.15.1",
            "6.16.1-3",
            "6.17.1-5",
            "6.18.1-5",
            "6.19.1-5",
            "6.20.1-7",
            "6.21.1-8",
        ],
    ),
    (ChecksTextAtTheEnd, &["6.4.1-4"]),
    (
        FailsAsIfAllWereWell,
        &["2.5", "3.*", "4.*", "5.1-2", "5.9-18", "6.3.*", "6.4.*", "6.21.*", "7.3.2", "7.9.*"],
    ),
    (
        NeverCloses,
        &["1.*", "2.7-8", "7.1.1-5", "7.3.1", "7.3.3-5", "7.7.*", "9.7.1", "10.1.1", "12.1.1", "13.1.1"],
    ),
    (
        DropsInsteadOfClosing,
        &["1.*", "2.1", "6.5.1", "7.1.1-5", "7.3.1", "7.3.3-5", "7.7.*", "9.7.1", "12.1.1"],
    ),
    (ClosesWithAnotherCode, &["1.1.1", "2.1", "7.1.1-5", "7.3.1", "7.3.3-5", "7.7.*", "9.8.1"]),
    (GoesOnAfterClose, &["7.1.3-5"]),
    (TakesAnyCode, &["7.9.*"]),
    (TakesOneByteCloses, &["7.3.2"]),
    (TakesAnyReason, &["7.5.1"]),
    (ClosesAtOnce, &["1.*", "2.1-4", "5.3-8", "6.4.*", "6.5.*", "9.7.*", "10.1.1", "12.1.*"]),
    (NoDeflate, &["12.*", "13.*"]),
    (ForgetsTheWindow, &["12.1.*", "12.2.*", "12.3.*", "12.4.*", "12.5.6-18", "13.1.*", "13.3.*", "13.4.*"]),
    (KeepsTheWindow, &["13.2.2-18", "13.5.2-18", "13.6.2-18", "13.7.2-18"]),
];

/// Faults of a server alone.
const SERVER_TABLE: &[(Fault, &[&str])] = &[(
    LeavesTcpOpen,
    &["1.*", "2.*", "3.*", "4.*", "5.*", "6.2.1", "7.1.1-5", "7.3.*", "7.5.1", "7.7.*", "7.9.*", "9.7.1"],
)];

/// Faults that leave nothing to test: all cases fail, but for those that cannot.
const HOPELESS: &[Fault] = &[AnswersNonsense, Hangs];

/// No fault can fail these: RFC 6455 leaves open what a peer does, and so does Autobahn.
const OPEN: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];

/// Small, so that the cases about compression are quick without optimization.
const VOLUME: usize = 4 << 10;

const PATIENCE: Patience =
    Patience { answer: std::time::Duration::from_secs(5), stall: std::time::Duration::from_secs(10) };

/// The cases that a row of the table names.
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

/// Plays a case on a peer with a fault.
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
            let fuzzer = Fuzzer::new(vec![case.clone()], PATIENCE);
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

/// All cases of `ids` in `role` fail because of the fault.
async fn all_fail(role: Role, fault: Fault, ids: &BTreeSet<CaseId>) -> Vec<String> {
    let mut passed = Vec::new();
    for case in cases::all(VOLUME).iter().filter(|case| ids.contains(&case.id)) {
        let record = play(role, case, fault).await;
        if is_ok(&record) {
            passed.push(format!("{role} {} passes in spite of {fault:?}", case.id));
        }
    }
    passed
}

async fn the_table_holds(table: &[(Fault, &[&str])], role: Role) {
    let mut passed = Vec::new();
    for (fault, words) in table {
        passed.extend(all_fail(role, *fault, &named(words)).await);
    }
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

async fn a_perfect_peer_passes(role: Role) {
    let expectations = Expectations::load().unwrap();
    let mut wrong = Vec::new();
    for case in cases::all(VOLUME) {
        let record = play(role, &case, Faultless).await;
        let expected = expectations.of(role)[&case.id];
        if record.verdict() != expected {
            wrong.push(format!("{role} {}: {}, {}", case.id, record.verdict(), record.reason()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_fault_passes_every_case_with_the_codes_of_the_rfc() {
    a_perfect_peer_passes(Role::Server).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_without_fault_passes_every_case_with_the_codes_of_the_rfc() {
    a_perfect_peer_passes(Role::Client).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_fault_fails_the_cases_about_it() {
    the_table_holds(TABLE, Role::Server).await;
    the_table_holds(SERVER_TABLE, Role::Server).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_fault_fails_the_cases_about_it() {
    the_table_holds(TABLE, Role::Client).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_even_open_fails_every_case_that_can_be_failed() {
    for role in Role::ALL {
        let mut ids: BTreeSet<CaseId> = cases::all(VOLUME).iter().map(|case| case.id).collect();
        ids.retain(|id| role == Role::Server || id.section < 9);
        for fault in HOPELESS {
            assert_eq!(all_fail(role, *fault, &ids).await, Vec::<String>::new());
        }
    }
}

#[test]
fn every_case_has_a_fault_that_fails_it_but_for_those_that_the_rfc_leaves_open() {
    let mut covered: BTreeSet<CaseId> = TABLE.iter().flat_map(|(_, words)| named(words)).collect();
    covered.extend(named(&OPEN));
    let all: BTreeSet<CaseId> = cases::all(VOLUME).iter().map(|case| case.id).collect();
    let uncovered: Vec<CaseId> = all.difference(&covered).copied().collect();
    assert_eq!(uncovered, []);
}
