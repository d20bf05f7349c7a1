//! The specification files for the program of Autobahn's suite.

use std::path::Path;

use serde_json::{Value, json};

use crate::{group::Group, role::Role};

/// Returns the specification of a run: `url` is the address of the tested server, or the one on which the suite waits
/// for the client; the reports are written to `folder`.
pub(crate) fn spec(role: Role, agent: &str, group: &Group, url: &str, folder: &Path) -> Value {
    let mut spec = json!({
        "outdir": folder,
        "cases": group.patterns,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    match role {
        Role::Server => spec["servers"] = json!([{ "agent": agent, "url": url }]),
        Role::Client => spec["url"] = json!(url),
    }
    spec
}

/// The mode in which the program of the suite tests this role.
pub(crate) fn mode(role: Role) -> &'static str {
    match role {
        Role::Server => "fuzzingclient",
        Role::Client => "fuzzingserver",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_excluded_and_the_role_decides_which_side_listens() {
        let id = "5.3".parse().unwrap();
        let group = Group::divide(&[id], &[id]).remove(0);
        let server = spec(Role::Server, "ws-server", &group, "ws://127.0.0.1:9", Path::new("out"));
        assert_eq!(server["servers"], json!([{ "agent": "ws-server", "url": "ws://127.0.0.1:9" }]));
        assert_eq!(server["url"], Value::Null);
        let client = spec(Role::Client, "ws-client", &group, "ws://127.0.0.1:9", Path::new("out"));
        assert_eq!(client["url"], json!("ws://127.0.0.1:9"));
        assert_eq!(client["servers"], Value::Null);
        for spec in [server, client] {
            assert_eq!((&spec["cases"], &spec["outdir"]), (&json!(["5.*"]), &json!("out")));
            assert_eq!((&spec["exclude-cases"], &spec["exclude-agent-cases"]), (&json!([]), &json!({})));
        }
    }
}
