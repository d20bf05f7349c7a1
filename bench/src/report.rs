//! What a run says: on the standard output as it goes, and after each mode in a folder.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::plan::Plan;
use crate::table::Table;
use crate::{goals, machine, plot};

/// The tables of a run.
pub struct Report {
    head: String,
    tables: Vec<(Table, &'static str)>,
}

impl Report {
    pub fn new(plan: &Plan) -> Self {
        let arguments = std::env::args().skip(1);
        let command: Vec<String> =
            ["cargo run --release --".to_owned()].into_iter().chain(arguments).collect();
        let head = format!(
            "{}, with `{}`. Seed of the order of turns: {}. Whole servers and clients: {}; all else: fat LTO.",
            machine::describe(),
            command.join(" "),
            plan.seed,
            plan.profile.name()
        );
        println!("{head}\n");
        Self { head, tables: Vec::new() }
    }

    /// A finished table; what is to be known about it in one or two sentences.
    pub fn add(&mut self, table: Table, note: &'static str) {
        if !table.rows.is_empty() {
            println!("### {}: {}\n\n{note}\n\n{}", table.title, table.unit, table.full());
            self.tables.push((table, note));
        }
    }

    /// The table with this title.
    pub fn table(&self, title: &str) -> Option<&Table> {
        self.tables.iter().map(|(table, _)| table).find(|table| table.title == title)
    }

    /// Each goal beside what was measured, as Markdown.
    pub fn goals(&self) -> String {
        format!("## Goals\n\n{}\n{}", goals::table(self), goals::summary(self))
    }

    /// Writes `README.md`, first the goals, then ours beside the best, then all, and a plot of each table.
    pub fn save(&self, folder: &Path, plan: &Plan) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let mut text = format!("# Results\n\n{}\n\n{}\n## In short\n", self.head, self.goals());
        for (table, _) in &self.tables {
            write!(text, "\n{}: {}.\n\n{}", table.title, table.unit, table.short())?;
        }
        text += "\n## In full\n";
        for (table, note) in &self.tables {
            let name =
                format!("{}.svg", table.title.to_lowercase().replace([' ', '/'], "-").replace(',', ""));
            let picture = if let Some(svg) = plot::dots(table) {
                save(&folder.join(&name), &svg)?;
                format!("\n![{}]({name})\n", table.title)
            } else {
                String::new()
            };
            write!(text, "\n### {}\n\n{}. {note}\n{picture}\n{}", table.title, table.unit, table.full())?;
        }
        let left_out = plan.left_out.borrow();
        if !left_out.is_empty() {
            write!(text, "\n## Left out\n\n- {}\n", left_out.join("\n- "))?;
        }
        save(&folder.join("README.md"), &text)
    }
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
