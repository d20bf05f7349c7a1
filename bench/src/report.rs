//! What a run says: on the standard output as it goes, and at its end in a folder.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::table::Table;
use crate::{machine, plot};

/// The tables of a run.
pub struct Report {
    head: String,
    tables: Vec<(Table, &'static str)>,
}

impl Report {
    pub fn new() -> Self {
        let head = format!(
            "{}, with `{}`.",
            machine::describe(),
            ["cargo run --release --".to_owned()]
                .into_iter()
                .chain(std::env::args().skip(1))
                .collect::<Vec<_>>()
                .join(" ")
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

    /// Writes `README.md`, first ours beside the best, then all, and a plot of each table.
    pub fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let mut text = format!("# Results\n\n{}\n\n## In short\n", self.head);
        for (table, _) in &self.tables {
            write!(text, "\n{}: {}.\n\n{}", table.title, table.unit, table.short())?;
        }
        text += "\n## In full\n";
        for (table, note) in &self.tables {
            let name = format!("{}.svg", table.title.to_lowercase().replace([' ', '/'], "-"));
            save(&folder.join(&name), &plot::dots(table))?;
            write!(
                text,
                "\n### {}\n\n{}. {note}\n\n![{}]({name})\n\n{}",
                table.title,
                table.unit,
                table.title,
                table.full()
            )?;
        }
        save(&folder.join("README.md"), &text)
    }
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
