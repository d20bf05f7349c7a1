//! The table of results by section and role.

use std::collections::BTreeMap;

use crate::{
    assessment::{Assessment, Finding},
    summary::Tally,
};

/// Returns the table: a line for each section, a block of columns for each role, and the sums.
pub(crate) fn table(roles: &[Assessment]) -> String {
    let mut sections: BTreeMap<u16, Vec<Tally>> = BTreeMap::new();
    for role in roles {
        let mut findings: BTreeMap<u16, Vec<&Finding>> = BTreeMap::new();
        role.findings.iter().for_each(|f| findings.entry(f.id.section).or_default().push(f));
        for (section, findings) in findings {
            sections.entry(section).or_default().push(Tally::of(findings));
        }
    }
    let mut lines = vec![head(roles), line("section", roles.iter().map(|_| COLUMNS.map(str::to_owned)))];
    for (section, tallies) in &sections {
        lines.push(line(&format!("{section:>2} {}", title(*section)), tallies.iter().map(cells)));
    }
    let sums = roles.iter().map(|role| cells(&Tally::of(&role.findings)));
    lines.push(line("all", sums));
    lines.join("\n") + "\n"
}

fn head(roles: &[Assessment]) -> String {
    let blocks: Vec<String> =
        roles.iter().map(|role| format!("{:width$}", role.role, width = WIDTH * COLUMNS.len())).collect();
    format!("{:TITLE$}   {}", "", blocks.join("   ")).trim_end().to_owned()
}

fn line(title: &str, blocks: impl Iterator<Item = [String; 6]>) -> String {
    let block = |cells: [String; 6]| cells.map(|cell| format!("{cell:>WIDTH$}")).concat();
    let blocks: Vec<String> = blocks.map(block).collect();
    format!("{title:TITLE$}   {}", blocks.join("   "))
}

fn cells(tally: &Tally) -> [String; 6] {
    let Tally { cases, ok, informational, non_strict, unimplemented, failed } = tally;
    [cases, ok, informational, non_strict, unimplemented, &failed.len()]
        .map(|n| if *n == 0 { "-".to_owned() } else { n.to_string() })
}

const COLUMNS: [&str; 6] = ["cases", "ok", "info", "lax", "unimpl", "failed"];
const WIDTH: usize = 7;
const TITLE: usize = 28;

/// Returns the title of a section.
pub(crate) fn title(section: u16) -> &'static str {
    match section {
        1 => "Framing",
        2 => "Pings and pongs",
        3 => "Reserved bits",
        4 => "Reserved opcodes",
        5 => "Fragmentation",
        6 => "UTF-8",
        7 => "Closing",
        9 => "Limits and performance",
        10 => "Automatic fragmentation",
        12 => "Compression",
        13 => "Compression, parameters",
        21 => "Opening, by a server",
        22 => "Opening, by a client",
        23 => "Closing and TCP",
        24 => "Close codes, lengths, masks",
        25 => "Robustness",
        26 => "RFC 8441, by a server",
        27 => "RFC 8441, by a client",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assessment::tests::{FAILED, OK, expected, group},
        role::Role,
    };

    #[test]
    fn the_table_has_a_line_for_each_section_and_the_sums() {
        let asked = expected(&[("1.1.1", OK), ("1.1.2", OK), ("12.1.1", OK)]);
        let found = group("all", &[("1.1.1", OK), ("1.1.2", FAILED), ("12.1.1", OK)]);
        let text = table(&[Assessment::new(Role::Server, &asked, &[found])]);
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["server"]);
        assert_eq!(words[2], ["1", "Framing", "2", "1", "-", "-", "-", "1"]);
        assert_eq!(words[3], ["12", "Compression", "1", "1", "-", "-", "-", "-"]);
        assert_eq!(words[4], ["all", "3", "2", "-", "-", "-", "1"]);
        assert_eq!(words.len(), 5);
    }
}
