//! Tests ws-server and ws-client and compares every verdict with the expectations.

use std::{error::Error, fs, num::NonZeroUsize, time::Instant};

use crate::{
    assessment::{Assessment, GroupResult},
    board::{Board, clock},
    case::CaseId,
    cli::{Ours, SuiteChoice},
    compare::Comparison,
    expectations::{self, Expectations},
    folder::{Folder, workspace},
    group::Group,
    native::{cases, native_on_ours, probe, target::Version},
    role::Role,
    run::{Run, Tested},
    suite::Suite,
    summary, table,
    verdict::{Behavior, CloseBehavior, Verdict},
};

/// Finds or installs the suite, runs it and prints the results. Returns whether everything is as expected.
///
/// # Errors
/// Nothing could be tested.
pub(crate) async fn test(options: Ours) -> Result<bool, Box<dyn Error>> {
    let version = Version::of(options.common.http2);
    let expectations = Expectations::load()?;
    let all: Vec<_> = expectations.cases().collect();
    let roles = options.role.roles();
    let mut known = all.clone();
    if options.suite.native() {
        known.extend(roles.iter().flat_map(|role| probe::of(*role, version)).map(|case| case.id));
        known.sort();
        known.dedup();
    }
    let selected = expectations::select(&known, &options.common.only, &options.common.skip)?;
    let cases: Vec<CaseId> = selected.iter().copied().filter(CaseId::is_autobahns).collect();
    let folder = Folder::take(&options.out.clone().unwrap_or_else(|| workspace().join("target/autobahn")))?;
    let summary_file = folder.fresh("summary.json")?;
    let start = Instant::now();

    let mut assessments = Vec::new();
    let mut comparisons = Vec::new();
    let autobahn = match options.suite.autobahn() {
        true => by_autobahn(&options, &folder, &cases, &all).await?,
        false => Vec::new(),
    };
    let native = match options.suite.native() {
        true => by_native(&options, &folder, &selected).await?,
        false => Vec::new(),
    };
    let (native, beyond): (Vec<GroupResult>, Vec<GroupResult>) = native.into_iter().map(split).unzip();
    for results in [&autobahn, &native].into_iter().filter(|r| !r.is_empty() && !cases.is_empty()) {
        let assess = |role: &Role| {
            let mut expected = expectations.of(*role).clone();
            expected.retain(|id, _| cases.binary_search(id).is_ok());
            Assessment::new(*role, &expected, results)
        };
        assessments.push(roles.iter().map(assess).collect::<Vec<Assessment>>());
    }
    if options.suite == SuiteChoice::Both {
        for role in roles {
            let of = |results: &[GroupResult]| {
                results.iter().filter(|r| r.role == *role).flat_map(|r| r.outcomes.clone()).collect()
            };
            comparisons.push((*role, Comparison::new(&of(&native), &of(&autobahn))));
        }
    }

    let mut last: Vec<Assessment> = assessments.pop().unwrap_or_default();
    let further: Vec<Assessment> =
        beyond.iter().filter(|r| !r.outcomes.is_empty()).map(|r| further(r, version, &selected)).collect();
    let text =
        serde_json::to_string_pretty(&summary::summary(if last.is_empty() { &further } else { &last }))?
            + "\n";
    fs::write(&summary_file, text).map_err(|e| format!("{}: {e}", summary_file.display()))?;
    assessments.extend([std::mem::take(&mut last), further].into_iter().filter(|some| !some.is_empty()));
    for assessments in &assessments {
        println!("\n{}", table::table(assessments));
        for complaint in assessments.iter().flat_map(Assessment::complaints) {
            println!("{complaint}");
        }
    }
    for (role, comparison) in &comparisons {
        println!("{role}: {}", comparison.words());
    }
    let fine = assessments.iter().flatten().all(Assessment::is_as_expected)
        && comparisons.iter().all(|(_, comparison)| comparison.differences.is_empty());
    let how = if fine { "all as expected" } else { "NOT as expected" };
    let (ran, of) = (selected.len(), known.len());
    println!("{ran} of {of} cases in {} role(s), {}: {how}", roles.len(), clock(start.elapsed()));
    println!("reports: {}\nsummary: {}", folder.join("reports").display(), summary_file.display());
    Ok(fine)
}

/// Compares the results of Autobahn's cases, and adds those of the cases beyond Autobahn.
fn split(result: GroupResult) -> (GroupResult, GroupResult) {
    let GroupResult { role, name, outcomes, trouble } = result;
    let (autobahns, beyond) = outcomes.into_iter().partition(|(id, _)| id.is_autobahns());
    let further = GroupResult { role, name: "beyond".to_owned(), outcomes: beyond, trouble: None };
    (GroupResult { role, name, outcomes: autobahns, trouble }, further)
}

/// Cases beyond Autobahn in which ws-server or ws-client is neither OK nor INFORMATIONAL, with the verdict and the reason.
const EXPLAINED: &[(&str, Behavior, &str)] = &[
    (
        "26.4.8",
        Behavior::NonStrict,
        "h2 ends the connection with PROTOCOL_ERROR instead of COMPRESSION_ERROR",
    ),
    ("26.5.16", Behavior::NonStrict, "h2 ignores pseudo-fields in trailers"),
    ("26.5.23", Behavior::NonStrict, "h2 ends the connection with PROTOCOL_ERROR instead of STREAM_CLOSED"),
    ("26.5.24", Behavior::NonStrict, "h2 ends the connection with PROTOCOL_ERROR instead of STREAM_CLOSED"),
    (
        "26.6.14",
        Behavior::NonStrict,
        "h2 ends the connection with PROTOCOL_ERROR instead of FLOW_CONTROL_ERROR",
    ),
    (
        "26.7.12",
        Behavior::NonStrict,
        "h2 ends the connection with PROTOCOL_ERROR instead of FRAME_SIZE_ERROR",
    ),
];

/// In the cases beyond Autobahn, ws-server and ws-client must be OK or INFORMATIONAL, or as it is explained.
fn further(result: &GroupResult, version: Version, selected: &[CaseId]) -> Assessment {
    let cases = probe::of(result.role, version).into_iter().map(|case| case.id);
    let expected = cases.filter(|id| selected.contains(id)).map(|id| {
        let found = result.outcomes.get(&id).map(|outcome| outcome.verdict);
        let explained = EXPLAINED.iter().find(|(explained, ..)| *explained == id.to_string());
        let fine = |verdict: &Verdict| match explained {
            Some((_, behavior, _)) => verdict.behavior == *behavior,
            None => matches!(verdict.behavior, Behavior::Ok | Behavior::Informational),
        };
        let behavior = explained.map_or(Behavior::Ok, |(_, behavior, _)| *behavior);
        let expected = Verdict { behavior, close: CloseBehavior::Ok, code: None };
        (id, found.filter(fine).unwrap_or(expected))
    });
    Assessment::new(result.role, &expected.collect(), std::slice::from_ref(result))
}

async fn by_autobahn(
    options: &Ours,
    folder: &Folder,
    cases: &[CaseId],
    all: &[CaseId],
) -> Result<Vec<GroupResult>, Box<dyn Error>> {
    let roles = options.role.roles();
    for role in roles {
        folder.fresh(&format!("reports/{role}"))?;
    }
    let common = &options.common;
    let suite = Suite::find(common.wstest.as_deref(), &folder.join("wstest"), common.fresh).await?;
    eprintln!("Autobahn test suite {}: {}", suite.version, suite.program.display());
    let groups = Group::divide(cases, all);
    let board = Board::new(roles.iter().flat_map(|_| &groups));
    let queue = roles.iter().flat_map(|role| groups.iter().map(|group| (*role, group.clone()))).collect();
    let run = Run {
        suite,
        reports: folder.join("reports"),
        stall: common.stall,
        board,
        tested: Tested::Ours,
        http2: common.http2,
        volume: common.autobahns_volume(),
    };
    Ok(run.all(queue, common.jobs.map_or(2, NonZeroUsize::get)).await)
}

async fn by_native(
    options: &Ours,
    folder: &Folder,
    ids: &[CaseId],
) -> Result<Vec<GroupResult>, Box<dyn Error>> {
    let mut results = Vec::new();
    let common = &options.common;
    let version = Version::of(common.http2);
    for role in options.role.roles() {
        let reports = folder.fresh(&format!("reports/native-{role}"))?;
        let start = Instant::now();
        let mut cases = cases::of(*role, version, common.volume());
        cases.retain(|case| ids.binary_search(&case.id).is_ok());
        let n = cases.len();
        results.push(native_on_ours(*role, version, cases, common.pace(), &reports).await?);
        eprintln!("{role}, native suite: {n} cases in {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(results)
}
