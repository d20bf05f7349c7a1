//! Imports go down: in the order that the crate's front page states, and without circles among the files of a folder.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// The path and the code of every source file, without comments and unit tests.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(SRC).to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = fs::read_to_string(&path).unwrap();
            let code = code.split("#[cfg(test)]").next().unwrap().lines();
            let code =
                code.filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n"));
            let name =
                path.strip_prefix(SRC).unwrap().with_extension("").to_str().unwrap().replace('\\', "/");
            files.push((name, code.collect()));
        }
    }
    files
}

/// The first names of the paths in `code` that begin with `root`.
fn imports<'a>(code: &'a str, root: &'a str) -> impl Iterator<Item = &'a str> {
    let names = code.match_indices(root).filter(|(at, _)| !code[..*at].ends_with(['_', ':']));
    let rest = names.map(move |(at, _)| &code[at + root.len()..]);
    rest.map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap())
}

#[test]
fn imports_of_the_crate_go_down_the_layers_of_its_front_page() {
    let page = fs::read_to_string(format!("{SRC}/lib.rs")).unwrap();
    let table = page.split("//! # The layers").nth(1).unwrap().split("```").nth(1).unwrap();
    let mut layers = BTreeMap::new();
    for (layer, line) in table.lines().skip(1).enumerate() {
        let names = line.trim_start_matches("//!").trim().split("  ").next().unwrap();
        layers.extend(names.split(", ").filter(|name| !name.is_empty()).map(|name| (name, layer)));
    }
    let mut upward = Vec::new();
    for (file, code) in sources().iter().filter(|(file, _)| file != "lib") {
        let own = file.split('/').next().unwrap();
        for import in imports(code, "crate::").filter(|import| *import != own) {
            let layer = |name| *layers.get(name).unwrap_or_else(|| panic!("{file}: {name} is in no layer"));
            if layer(import) <= layer(own) {
                upward.push(format!("{file} imports {import}"));
            }
        }
    }
    assert_eq!(upward, [""; 0], "upward or sideways");
}

#[test]
fn the_files_of_a_folder_import_each_other_without_circles() {
    let sources = sources();
    let mut below: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (file, code) in sources.iter().filter(|(file, _)| file.contains('/')) {
        let folder = file.rsplit_once('/').unwrap().0;
        let siblings = imports(code, "super::").map(|name| format!("{folder}/{name}"));
        below
            .entry(file)
            .or_default()
            .extend(siblings.filter(|name| sources.iter().any(|(file, _)| file == name)));
    }
    // What imports nothing that is left is below all the rest: without circles nothing is left in the end.
    while let Some(lowest) = below.iter().find(|(_, names)| names.is_empty()).map(|(file, _)| *file) {
        below.remove(lowest);
        below.values_mut().for_each(|names| {
            names.remove(lowest);
        });
    }
    assert!(below.is_empty(), "in circles: {below:#?}");
}
