//! Runs the native suite on ws-server and ws-client.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use tokio::{net::TcpListener, time::timeout};

use crate::{
    assessment::GroupResult,
    native::{
        against_client::Fuzzer,
        against_server::{self, Pace},
        doors::Doors,
        record::{self, Record},
        script::Case,
        target::{Address, Target, Trust, Version},
    },
    role::Role,
    testee,
};

/// Runs the cases on our implementation of this role and writes the reports to `folder`.
///
/// # Errors
/// No port is free, or a file cannot be written.
pub(crate) async fn native_on_ours(
    role: Role,
    version: Version,
    cases: Vec<Case>,
    pace: Pace,
    folder: &Path,
) -> Result<GroupResult, String> {
    let (records, trouble) = match role {
        Role::Server => {
            let server = testee::server::Server::start().await.map_err(|e| format!("our server: {e}"))?;
            let target = Target::new(Address::of(server.address()), &Trust::Public, version)?;
            (against_server::run(&target, cases, pace).await?, None)
        }
        Role::Client => on_client(version, cases, pace).await?,
    };
    let agent = role.agent();
    record::write(folder, role, &BTreeMap::from([(agent.to_owned(), records.clone())]))?;
    let outcomes = record::outcomes(folder, agent, &records);
    Ok(GroupResult { role, name: "native".to_owned(), outcomes, trouble })
}

async fn on_client(
    version: Version,
    cases: Vec<Case>,
    pace: Pace,
) -> Result<(Vec<Record>, Option<String>), String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| format!("no free port: {e}"))?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let (n, agent) = (cases.len(), Role::Client.agent());
    let doors = Doors::open(&cases).await?;
    let ports = doors.ports(port);
    let fuzzer = Fuzzer::new(cases, version, pace.patience);
    let played = tokio::spawn(testee::client::play_at(port, ports, version.of_client(), agent, n, pace.jobs));
    let serving = Arc::clone(&fuzzer);
    let served = tokio::select! {
        served = fuzzer.serve(listener, pace) => served,
        () = doors.serve(serving, agent) => Ok(()),
    };
    let abort = played.abort_handle();
    // The answer to its last request may not have been written yet.
    let trouble = match timeout(pace.patience.answer, played).await {
        Ok(played) => played.map_err(|e| e.to_string()).and_then(|played| played).err(),
        Err(_) => {
            abort.abort();
            Some("our client did not finish in time".to_owned())
        }
    };
    let records = fuzzer.records().remove(agent).unwrap_or_default();
    Ok((records, served.err().or(trouble)))
}
