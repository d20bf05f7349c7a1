//! Runs every case beyond Autobahn against peers that are deliberately broken, to show that every case can fail.
//! `.ci/run conformance` checks that ws-server and ws-client pass all of them.

pub(super) mod peer;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use super::cases::all;
use crate::{
    case::{CaseId, Pattern},
    native::{
        against_client::Fuzzer,
        play::Patience,
        probe::on_server,
        record::Record,
        script::{Case, Script},
        target::{Address, Target, Trust, Version},
    },
    role::Role,
    verdict::Behavior,
};

/// What a broken peer does wrong. Apart from that it echoes, and fails the connection for a reserved opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Opens the connection whatever the head contains, and accepts every frame.
    TakesEverything,
    /// The same, and agrees to every subprotocol and extension.
    AgreesToEverything,
    /// Refuses every opening handshake without a reason.
    RefusesEverything,
    /// Answers a request that must be refused, and the next one, with 200.
    AnswersOk,
    /// A client whose request has nothing that RFC 6455 requires.
    AsksBadly,
    /// A client that uses one Sec-WebSocket-Key for every connection.
    RepeatsKey,
    /// Reads, and never answers.
    Hangs,
    /// Answers nothing after the opening handshake.
    EchoesNothing,
    /// Answers what follows a Close.
    GoesOnAfterClose,
    /// Answers every Close with 1012.
    ClosesWithAnotherCode,
    /// Ends the connection by RST.
    Resets,
    /// Never ends the connection.
    KeepsOpen,
    /// Ends the connection as soon as it is idle.
    EndsEarly,
    /// A client that ends TCP right after its Close.
    EndsFirst,
    /// Serves only one connection, and over HTTP/2 only one stream.
    ServesOne,
    /// Takes four times as long for twice the work.
    TakesTheSquare,
    /// Allocates much memory when a connection opens.
    FillsMemory,
    /// HTTP/2: a server whose SETTINGS do not permit WebSockets.
    PermitsNothing,
    /// HTTP/2: a server whose answers have the fields of HTTP/1.1, or a client whose requests have them.
    SpeaksHttp1,
    /// HTTP/2: ends the connection when it receives GOAWAY.
    EndsOnGoAway,
    /// HTTP/2: a client that sends its request without permission.
    AsksWithoutPermission,
    /// HTTP/2: a client that sends a message whatever the answer to its request is.
    SendsAnyway,
}

use Fault::*;

/// Faults of servers, with the cases that each of them fails.
const SERVERS: &[(Fault, &[&str])] = &[
    (
        TakesEverything,
        &[
            "21.1.3-15",
            "21.1.17",
            "21.1.20",
            "21.1.24-25",
            "21.2.1-29",
            "21.3.14-16",
            "21.3.19",
            "21.3.21-24",
            "21.4.2-9",
            "21.5.3-6",
            "21.6.5-7",
            "21.7.4",
            "21.7.21-26",
            "21.8.2-6",
            "21.9.1-6",
            "23.1.9-11",
            "23.1.19",
            "24.1.5-8",
            "24.1.10-12",
            "24.3.1-10",
            "25.2.6",
            "25.3.1-3",
        ],
    ),
    (AgreesToEverything, &["21.6.2-4", "21.7.1-3", "21.7.5", "21.7.7-20"]),
    (RefusesEverything, &["21.9.2", "21.1.1-2", "21.3.1-13", "21.8.1"]),
    (AnswersOk, &["21.1.18-19", "21.6.8", "21.7.6", "21.9.5"]),
    (
        EchoesNothing,
        &[
            "21.1.1-2",
            "21.1.16",
            "21.1.21-23",
            "21.1.26",
            "21.3.1-13",
            "21.3.17-18",
            "21.3.20",
            "21.4.1",
            "21.4.10",
            "21.5.1-2",
            "21.6.1",
            "21.8.1",
            "23.1.2",
            "23.1.12",
            "23.1.15",
            "23.1.18",
            "24.3.11",
            "25.1.1",
            "25.1.5",
            "25.2.1-5",
            "25.2.7",
            "25.4.*",
        ],
    ),
    (
        ClosesWithAnotherCode,
        &["23.1.1-10", "23.1.14", "23.1.16-18", "24.1.1", "24.1.3-4", "24.1.9", "24.1.13"],
    ),
    (GoesOnAfterClose, &["23.1.4-6", "24.1.2"]),
    (Resets, &["23.1.17"]),
    (KeepsOpen, &["23.1.1", "23.1.12-13", "23.1.17", "23.1.19-20"]),
    (EndsEarly, &["23.1.15"]),
    (ServesOne, &["21.9.4", "23.1.21-24", "25.1.5", "25.3.1-2"]),
    (TakesTheSquare, &["25.4.*"]),
    (FillsMemory, &["25.3.1-2"]),
    (Hangs, &["25.1.2-4"]),
];

/// Faults of clients, with the cases that each of them fails.
const CLIENTS: &[(Fault, &[&str])] = &[
    (
        TakesEverything,
        &["22.3.10-35", "22.4.1-22", "22.5.3-6", "23.2.9-11", "23.2.18", "24.2.11-20", "24.4.1-10", "25.5.6"],
    ),
    (AsksBadly, &["22.1.*"]),
    (RepeatsKey, &["22.1.10"]),
    (EchoesNothing, &["22.2.*", "23.2.2", "23.2.12", "23.2.15", "24.2.2", "24.4.11", "25.5.1-5", "25.5.7"]),
    (ClosesWithAnotherCode, &["23.2.1-8", "23.2.14", "23.2.16-18", "24.2.1", "24.2.3-10"]),
    (GoesOnAfterClose, &["23.2.4-6"]),
    (KeepsOpen, &["22.3.1-9", "22.5.1-2", "23.2.12-13", "23.2.19"]),
    (EndsEarly, &["23.2.15"]),
    (EndsFirst, &["23.2.17"]),
];

const PATIENCE: Duration = Duration::from_millis(700);

/// How many variants of a case are run.
pub(super) const SOME: usize = 32;

/// Runs a case against a peer with a fault.
async fn play(case: &Case, fault: Fault) -> Record {
    let Script::Probe(probe) = &case.script else { panic!("{}", case.id) };
    let mut probe = probe.clone();
    // A short wait is enough for events that do not come.
    probe.within = None;
    // A fault shows in each of the first variants, and there are up to a thousand.
    probe.variants.truncate(SOME);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    match probe.tested {
        Role::Server => {
            let mut peers = JoinSet::new();
            let serving = async {
                let frames = Arc::default();
                for n in 0.. {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    if n == 0 || fault != ServesOne {
                        peers.spawn(peer::run(stream, Role::Server, fault, Arc::clone(&frames)));
                    }
                }
            };
            let target = Target::new(Address::of(address), &Trust::Public, Version::Http1).unwrap();
            tokio::select! {
                record = on_server(&target, case, &probe, PATIENCE, Some(std::process::id())) => record,
                () = serving => panic!("the listener is gone"),
            }
        }
        Role::Client => {
            let case = Case { script: Script::Probe(probe), ..case.clone() };
            let fuzzer = Fuzzer::new(
                vec![case.clone()],
                Version::Http1,
                Patience { answer: PATIENCE, stall: PATIENCE },
            );
            // The second connection has the verdict.
            for _ in 0..if fault == RepeatsKey { 2 } else { 1 } {
                let client = tokio::spawn(async move {
                    let stream = TcpStream::connect(address).await.unwrap();
                    peer::run(stream, Role::Client, fault, Arc::default()).await;
                });
                let (stream, _) = listener.accept().await.unwrap();
                fuzzer.on_stream(stream).await;
                client.abort();
            }
            let records = fuzzer.records().remove("faulty").and_then(|mut records| records.pop());
            records.unwrap_or_else(|| Record::not_open(&case, Default::default(), "no case", Duration::ZERO))
        }
    }
}

/// Returns the cases that a row of a table names.
fn named(role: Role, words: &[&str]) -> BTreeSet<CaseId> {
    named_of(&all(role), words)
}

/// Returns those of these cases that a row of a table names.
pub(super) fn named_of(cases: &[Case], words: &[&str]) -> BTreeSet<CaseId> {
    let known: Vec<CaseId> = cases.iter().map(|case| case.id).collect();
    let of = |word: &&str| -> Vec<CaseId> {
        match word.parse::<Pattern>() {
            Ok(pattern) => known.iter().copied().filter(|id| pattern.matches(*id)).collect(),
            Err(_) => CaseId::range(word).unwrap(),
        }
    };
    let ids: BTreeSet<CaseId> = words.iter().flat_map(of).collect();
    assert!(ids.iter().all(|id| known.contains(id)), "{words:?}");
    ids
}

/// Returns the cases of the table that pass despite their fault.
async fn passing(role: Role, table: &'static [(Fault, &'static [&'static str])]) -> Vec<String> {
    let places = Arc::new(Semaphore::new(24));
    let mut tasks = JoinSet::new();
    for (fault, words) in table {
        let ids = named(role, words);
        for case in all(role).into_iter().filter(|case| ids.contains(&case.id)) {
            let places = Arc::clone(&places);
            tasks.spawn(async move {
                let _place = places.acquire_many(if case.is_measured() { 24 } else { 1 }).await;
                let record = play(&case, *fault).await;
                let passed = record.verdict().behavior == Behavior::Ok;
                passed.then(|| format!("{role} {} passes despite {fault:?}: {}", case.id, record.reason()))
            });
        }
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_fault_does_not_pass_the_cases_beyond_autobahn_about_it() {
    let passed = passing(Role::Server, SERVERS).await;
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_a_fault_does_not_pass_the_cases_beyond_autobahn_about_it() {
    let passed = passing(Role::Client, CLIENTS).await;
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

#[test]
fn every_case_beyond_autobahn_fails_for_some_fault() {
    for (role, table) in [(Role::Server, SERVERS), (Role::Client, CLIENTS)] {
        let covered: BTreeSet<CaseId> = table.iter().flat_map(|(_, words)| named(role, words)).collect();
        let all: BTreeSet<CaseId> = all(role).iter().map(|case| case.id).collect();
        assert_eq!(all.difference(&covered).copied().collect::<Vec<_>>(), [], "{role}");
    }
}
