//! Runs every case over HTTP/2 against peers that are deliberately broken, to show that every case can fail.
//! `.ci/run conformance` checks that ws-server and ws-client pass all of them.

mod peer;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    case::CaseId,
    native::{
        probe::{
            cases,
            faulty::{
                Fault::{self, *},
                SOME, named_of,
            },
            on_server,
        },
        record::Record,
        script::{Case, Script},
        target::{Address, Target, Trust, Version},
    },
    role::Role,
    verdict::Behavior,
};

/// Faults of servers, with the cases that each of them fails.
const SERVERS: &[(Fault, &[&str])] = &[
    (PermitsNothing, &["26.1.*"]),
    (SpeaksHttp1, &["26.2.1-2", "26.3.1", "26.3.4"]),
    (
        TakesEverything,
        &[
            "24.1.5-8",
            "24.1.10-12",
            "24.3.1-10",
            "25.2.6",
            "25.3.1-3",
            "26.2.10-40",
            "26.3.3",
            "26.3.9-11",
            "26.3.5",
            "26.3.13",
            "26.3.17-18",
            "26.4.5-8",
            "26.4.21-25",
            "26.5.9-16",
            "26.5.23-24",
            "26.6.1-6",
            "26.6.10-15",
            "26.7.4-6",
            "26.7.11-13",
        ],
    ),
    (ClosesWithAnotherCode, &["24.1.1-4", "24.1.9", "24.1.13"]),
    (AgreesToEverything, &["26.3.2", "26.3.6-8"]),
    (RefusesEverything, &["26.2.1-9", "26.3.12", "26.3.16", "26.4.1-4", "26.7.1-3"]),
    (
        EchoesNothing,
        &[
            "24.3.11",
            "25.1.5",
            "25.2.1-5",
            "25.2.7",
            "25.4.*",
            "26.1.2-5",
            "26.2.1-9",
            "26.3.1-2",
            "26.3.4",
            "26.3.12",
            "26.4.1-4",
            "26.4.9-20",
            "26.5.7",
            "26.5.10",
            "26.6.1-9",
            "26.7.1-3",
            "26.7.7-9",
            "26.7.14-15",
        ],
    ),
    (KeepsOpen, &["26.3.14-15", "26.5.1-3", "26.5.5-14"]),
    (ServesOne, &["26.5.4-5", "26.5.8-22", "26.5.25", "26.6.7", "26.7.1-3", "26.7.10"]),
    (GoesOnAfterClose, &["26.5.6"]),
    (EndsOnGoAway, &["26.7.7-9"]),
];

/// Faults of clients, with the cases that each of them fails.
const CLIENTS: &[(Fault, &[&str])] = &[
    (AsksWithoutPermission, &["27.1.2-5"]),
    (SpeaksHttp1, &["27.1.1"]),
    (ClosesWithAnotherCode, &["24.2.1", "24.2.3-10"]),
    (TakesEverything, &["24.2.11-20", "24.4.1-10", "25.5.6", "27.3.1-5", "27.3.8-14", "27.4.12-14"]),
    (SendsAnyway, &["27.3.6-7", "27.3.15-17", "27.5.8-9"]),
    (
        EchoesNothing,
        &[
            "24.2.2",
            "24.4.11",
            "25.5.1-5",
            "25.5.7",
            "27.1.6",
            "27.2.*",
            "27.3.18",
            "27.4.1-11",
            "27.5.1-2",
            "27.5.4",
            "27.5.10-12",
        ],
    ),
    (KeepsOpen, &["27.3.19", "27.5.1", "27.5.3-7", "27.5.12"]),
];

const PATIENCE: Duration = Duration::from_millis(700);

fn all(role: Role) -> Vec<Case> {
    cases::of(role, Version::Http2)
}

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
    let mut peers = JoinSet::new();
    match probe.tested {
        Role::Server => {
            let serving = async {
                for n in 0.. {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    if n == 0 || fault != ServesOne {
                        peers.spawn(peer::run(stream, Role::Server, fault));
                    }
                }
            };
            let target = Target::new(Address::of(address), &Trust::Public, Version::Http2).unwrap();
            tokio::select! {
                record = on_server(&target, case, &probe, PATIENCE, None) => record,
                () = serving => panic!("the listener is gone"),
            }
        }
        Role::Client => {
            let connected = TcpStream::connect(address).await.unwrap();
            peers.spawn(peer::run(connected, Role::Client, fault));
            let (stream, _) = listener.accept().await.unwrap();
            super::on_client(stream, case, &probe, PATIENCE).await
        }
    }
}

/// Returns the cases of the table that pass despite their fault.
async fn passing(role: Role, table: &'static [(Fault, &'static [&'static str])]) -> Vec<String> {
    let places = Arc::new(Semaphore::new(24));
    let mut tasks = JoinSet::new();
    for (fault, words) in table {
        let ids = named_of(&all(role), words);
        for case in all(role).into_iter().filter(|case| ids.contains(&case.id)) {
            let places = Arc::clone(&places);
            tasks.spawn(async move {
                let _place = places.acquire().await;
                let record = play(&case, *fault).await;
                let passed = record.verdict().behavior == Behavior::Ok;
                passed.then(|| format!("{role} {} passes despite {fault:?}: {}", case.id, record.reason()))
            });
        }
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_fault_does_not_pass_the_cases_over_http_2_about_it() {
    let passed = passing(Role::Server, SERVERS).await;
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_a_fault_does_not_pass_the_cases_over_http_2_about_it() {
    let passed = passing(Role::Client, CLIENTS).await;
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

#[test]
fn every_case_over_http_2_fails_for_some_fault() {
    for (role, table) in [(Role::Server, SERVERS), (Role::Client, CLIENTS)] {
        let cases = all(role);
        let covered: BTreeSet<CaseId> = table.iter().flat_map(|(_, words)| named_of(&cases, words)).collect();
        let all: BTreeSet<CaseId> = cases.iter().map(|case| case.id).collect();
        assert_eq!(all.difference(&covered).copied().collect::<Vec<_>>(), [], "{role}");
    }
}
