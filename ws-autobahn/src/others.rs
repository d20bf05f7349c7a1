//! Tests any server or client and prints the results.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{IsTerminal, stdout},
    path::Path,
    sync::Arc,
    time::Instant,
};

use tokio::net::TcpListener;

use crate::{
    assessment::Assessment,
    board::Board,
    case::CaseId,
    cli::{Other, SuiteChoice, Target},
    compare::Comparison,
    expectations::{self, Expectations},
    folder::Folder,
    group::Group,
    native::{
        against_client::Fuzzer,
        against_server,
        baseline::{Baseline, Changes},
        cases,
        doors::Doors,
        exec, junit, probe,
        record::{self, Record},
        script::Case,
        target::{Target as Server, Version},
        tls::Tls,
    },
    report::Outcome,
    role::Role,
    run::{Run, Tested},
    suite::Suite,
    table,
    verdict::{Behavior, CloseBehavior, Verdict},
};

/// Runs the suites on the target and prints the results. Returns whether no case has failed and both suites agree.
///
/// # Errors
/// Nothing could be tested.
pub(crate) async fn test(target: Target) -> Result<bool, Box<dyn Error>> {
    let (role, options) = match &target {
        Target::Server { options, .. } => (Role::Server, options),
        Target::Client { options, .. } => (Role::Client, options),
    };
    let version = options.common.version(options.suite)?;
    let all: Vec<CaseId> = Expectations::load()?.cases().collect();
    let known: Vec<CaseId> = match options.suite {
        SuiteChoice::Autobahn => all.clone(),
        _ => cases::of(role, version, options.common.volume()).iter().map(|case| case.id).collect(),
    };
    // A client of Autobahn's protocol composes its URLs, so that no case can have a separate port.
    let known = match &target {
        Target::Client { exec: None, .. } if version == Version::Http2 => all.clone(),
        _ => known,
    };
    let ids = expectations::select(&known, &options.common.only, &options.common.skip)?;
    // Before the run, so that a wrong file name is not only noticed after it.
    let baseline = options.baseline.as_deref().map(Baseline::read).transpose()?;
    let folder = Folder::take(&options.out)?;
    let start = Instant::now();
    let mut fine = true;
    let mut outcomes: Vec<BTreeMap<CaseId, Outcome>> = Vec::new();
    if options.suite.native() {
        let mut cases = cases::of(role, version, options.common.volume());
        cases.retain(|case| ids.binary_search(&case.id).is_ok());
        let reports = folder.fresh("native")?;
        let agents = by_native(&target, version, cases, options, &folder).await?;
        record::write(&reports, role, &agents)?;
        if let Some(path) = &options.junit {
            fs::write(path, junit::xml(&agents)).map_err(|e| format!("--junit {}: {e}", path.display()))?;
        }
        for (agent, records) in &agents {
            print(role, agent, records);
            fine &= match &baseline {
                None => !records.iter().any(Record::has_failed),
                Some(baseline) => print_changes(&baseline.changes(records)),
            };
            if outcomes.is_empty() {
                let mut found = record::outcomes(&reports, agent, records);
                found.retain(|id, _| id.is_autobahns());
                outcomes.push(found);
            }
        }
        println!(
            "{} cases, {:.1} s; reports: {}",
            ids.len(),
            start.elapsed().as_secs_f64(),
            reports.join("report.html").display()
        );
    }
    if options.suite.autobahn() {
        let ids: Vec<CaseId> = ids.iter().copied().filter(CaseId::is_autobahns).collect();
        let found = by_autobahn(&target, options, &folder, &ids, &all).await?;
        let verdicts: BTreeMap<CaseId, Verdict> = found.iter().map(|(id, o)| (*id, o.verdict)).collect();
        println!("\nAutobahn's suite\n{}", section_table(role, &verdicts));
        fine &= ids.iter().all(|id| verdicts.get(id).is_some_and(|verdict| !record::fails(*verdict)));
        outcomes.push(found);
    }
    if let (SuiteChoice::Both, [native, autobahn]) = (options.suite, &outcomes[..]) {
        let comparison = Comparison::new(native, autobahn);
        println!("{}", comparison.words());
        fine &= comparison.differences.is_empty();
    }
    Ok(fine)
}

async fn by_native(
    target: &Target,
    version: Version,
    cases: Vec<Case>,
    options: &Other,
    folder: &Folder,
) -> Result<BTreeMap<String, Vec<Record>>, Box<dyn Error>> {
    let pace = options.common.pace();
    match target {
        Target::Server { url, pid, .. } => {
            if let Some(pid) = pid.filter(|pid| probe::resident(*pid).is_none()) {
                let why = "its memory cannot be read; is the process running, and is this Linux?";
                return Err(format!("--pid {pid}: {why}").into());
            }
            let pace = against_server::Pace { pid: *pid, ..pace };
            let server = Server::new(url.clone(), &target.trust(), version)?;
            let records = against_server::run(&server, cases, pace).await?;
            Ok(BTreeMap::from([(options.agent.clone(), records)]))
        }
        Target::Client { listen, exec, tls, .. } => {
            let bound = TcpListener::bind(listen).await;
            let listener = bound.map_err(|e| format!("--listen {listen}: {e}; choose another address"))?;
            let port = listener.local_addr()?.port();
            let n = cases.len();
            let doors = Doors::open(&cases).await?;
            let ports = doors.ports(port);
            let authority = tls.then(|| folder.fresh("authority.pem")).transpose()?;
            let tls = authority.map(|file| Tls::create(listen.ip(), version, file)).transpose()?;
            let scheme = if tls.is_some() { "wss" } else { "ws" };
            if let Some(tls) = &tls {
                eprintln!("the client must trust {}", tls.authority().display());
            }
            let fuzzer = Fuzzer::with(cases, version, pace.patience, tls);
            match exec {
                None => {
                    eprintln!("{n} cases wait for a client at {scheme}://{}", listener.local_addr()?);
                    fuzzer.serve(listener, pace).await?;
                }
                Some(command) => {
                    let log = folder.fresh("client.log")?;
                    // The longest time of a case, and the time that the command needs to start.
                    let running = exec::all(
                        command,
                        |n| exec::url(scheme, ports.of(n), n, &options.agent),
                        n,
                        &log,
                        pace.jobs,
                        pace.patience.stall * 50,
                    );
                    let serving = Arc::clone(&fuzzer);
                    tokio::select! {
                        ran = running => ran?,
                        served = serving.serve(listener, pace) => served?,
                        () = doors.serve(Arc::clone(&fuzzer), &options.agent) => {}
                    }
                }
            }
            let agents = fuzzer.records();
            if agents.is_empty() {
                return Err("no case was run: the client has not connected to /runCase".into());
            }
            Ok(agents)
        }
    }
}

async fn by_autobahn(
    target: &Target,
    options: &Other,
    folder: &Folder,
    ids: &[CaseId],
    all: &[CaseId],
) -> Result<BTreeMap<CaseId, Outcome>, Box<dyn Error>> {
    let common = &options.common;
    let (role, tested) = match target {
        Target::Server { url, .. } => {
            let url = url.url().ok_or("--suite autobahn tests no server on a Unix socket")?;
            (Role::Server, Tested::Server(url, options.agent.clone()))
        }
        Target::Client { tls: true, .. } => return Err("--suite autobahn tests no client over TLS".into()),
        Target::Client { exec: Some(command), .. } => {
            (Role::Client, Tested::Client(command.clone(), options.agent.clone()))
        }
        Target::Client { exec: None, .. } => {
            return Err(
                "--suite autobahn tests a client with --exec only: several of Autobahn's servers run at the \
                        same time"
                    .into(),
            );
        }
    };
    let reports = folder.fresh("autobahn")?;
    let suite = Suite::find(common.wstest.as_deref(), &folder.join("wstest"), common.fresh).await?;
    eprintln!("Autobahn test suite {}: {}", suite.version, suite.program.display());
    let groups = Group::divide(ids, all);
    let board = Board::new(&groups);
    let queue = groups.into_iter().map(|group| (role, group)).collect();
    let volume = common.autobahns_volume();
    let run = Run { suite, reports, stall: common.stall, board, tested, http2: false, volume };
    let results = run.all(queue, common.jobs.map_or(2, |jobs| jobs.get().min(4))).await;
    for trouble in results.iter().filter_map(|result| result.trouble.as_ref()) {
        println!("Autobahn's suite: {trouble}");
    }
    Ok(results.into_iter().flat_map(|result| result.outcomes).collect())
}

/// Prints every case that is not OK with its reason and wire log, then the table by section.
fn print(role: Role, agent: &str, records: &[Record]) {
    let (autobahns, beyond): (BTreeMap<CaseId, Verdict>, BTreeMap<CaseId, Verdict>) =
        records.iter().map(|record| (record.id, record.verdict())).partition(|(id, _)| id.is_autobahns());
    for record in records.iter().filter(|r| !is_ok(r.verdict())) {
        println!("\n{} {}: {}\n  {}", record.id, record.verdict(), record.what, record.reason());
        println!("  {}; {}", record.rule, record.expectation);
        for line in record.log.lines() {
            println!("  {line}");
        }
    }
    let bold = if stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{}{agent}{}", bold.0, bold.1);
    for (title, verdicts) in [("Autobahn's cases", &autobahns), ("Beyond Autobahn", &beyond)] {
        if !verdicts.is_empty() {
            println!("{title}\n{}", section_table(role, verdicts));
        }
    }
}

/// Prints the differences from the baseline. Returns whether no verdict is worse.
fn print_changes(changes: &Changes) -> bool {
    println!("baseline: {} worse, {} better", changes.worse.len(), changes.better.len());
    for (how, lines) in [("worse", &changes.worse), ("better", &changes.better)] {
        lines.iter().for_each(|line| println!("{how}: {line}"));
    }
    changes.worse.is_empty()
}

fn is_ok(verdict: Verdict) -> bool {
    verdict.behavior == Behavior::Ok && verdict.close == CloseBehavior::Ok
}

/// Returns the same table as for ws-server and ws-client, where any proper close is expected, whatever its code.
fn section_table(role: Role, verdicts: &BTreeMap<CaseId, Verdict>) -> String {
    let expected = verdicts.iter().map(|(id, verdict)| {
        let close = verdict.close.max(CloseBehavior::Informational);
        (*id, Verdict { behavior: Behavior::Ok, close, code: verdict.code })
    });
    let outcome = |verdict: &Verdict| Outcome { verdict: *verdict, file: Path::new("").to_owned() };
    let result = crate::assessment::GroupResult {
        role,
        name: String::new(),
        outcomes: verdicts.iter().map(|(id, verdict)| (*id, outcome(verdict))).collect(),
        trouble: None,
    };
    table::table(&[Assessment::new(role, &expected.collect(), &[result])])
}
