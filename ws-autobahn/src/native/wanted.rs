//! What a client under test requests, by path and query: Autobahn's protocol for testees.

use std::collections::HashMap;

/// What a client requests by path and query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The number of cases.
    CaseCount,
    /// To run a case.
    RunCase(usize, String),
    /// The description of a case.
    CaseInfo(usize),
    /// The verdict on a case, as soon as it is known.
    CaseStatus(usize, String),
    /// To write the reports.
    UpdateReports,
}

impl Wanted {
    /// Parses a request target. Cases are counted from 1, as in Autobahn.
    ///
    /// # Errors
    /// The target is unknown or lacks a parameter.
    pub(crate) fn read(target: &str) -> Result<Self, String> {
        // RFC 9112 section 3.2.2: "a server MUST accept the absolute-form in requests"; RFC 6455 section 4.1 permits it.
        let path_and_query = match target.strip_prefix("http://") {
            Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
            None => target,
        };
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let query: HashMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let case = || {
            let n: Option<usize> = query.get("case").and_then(|n| n.parse().ok());
            n.and_then(|n| n.checked_sub(1)).ok_or(format!("{target}: the query needs case=N, with N from 1"))
        };
        let agent = || match query.get("agent") {
            Some(agent) if !agent.is_empty() => Ok((*agent).to_owned()),
            _ => Err(format!("{target}: the query needs agent=NAME")),
        };
        match path {
            "/getCaseCount" => Ok(Self::CaseCount),
            "/runCase" => Ok(Self::RunCase(case()?, agent()?)),
            "/getCaseInfo" => Ok(Self::CaseInfo(case()?)),
            "/getCaseStatus" => Ok(Self::CaseStatus(case()?, agent()?)),
            "/updateReports" => Ok(Self::UpdateReports),
            _ => Err(format!(
                "{target}: unknown path; request /getCaseCount, /runCase, /getCaseInfo, /getCaseStatus or /updateReports"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requested_case_is_parsed_from_path_and_query() {
        assert_eq!(Wanted::read("/getCaseCount").unwrap(), Wanted::CaseCount);
        let run = Wanted::RunCase(4, "a%20b".to_owned());
        assert_eq!(Wanted::read("/runCase?agent=a%20b&case=5").unwrap(), run);
        assert_eq!(Wanted::read("/getCaseInfo?case=1").unwrap(), Wanted::CaseInfo(0));
        let absolute = "http://127.0.0.1:9001/runCase?case=5&agent=a%20b";
        assert_eq!(Wanted::read(absolute).unwrap(), Wanted::RunCase(4, "a%20b".to_owned()));
        assert_eq!(Wanted::read("/updateReports?agent=x").unwrap(), Wanted::UpdateReports);
        for wrong in [
            "/runCase?case=1",
            "http://127.0.0.1:9001",
            "/runCase?agent=a",
            "/getCaseInfo?case=0",
            "/getCaseStatus?case=x&agent=a",
            "/",
        ] {
            assert!(Wanted::read(wrong).is_err(), "{wrong}");
        }
    }
}
