//! Imports go down, in the order that the crate's front page states.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// The name that `path`, such as `driver/state.rs` or `driver::Driver`, begins with.
fn first(path: &str) -> &str {
    path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap()
}

/// The modules by the number of their line, the topmost first.
fn layers(page: &str) -> BTreeMap<&str, usize> {
    let table = page.split("//! # The layers").nth(1).unwrap().split("```").nth(1).unwrap();
    let mut layers = BTreeMap::new();
    for (layer, line) in table.lines().skip(1).enumerate() {
        let names = line.trim_start_matches("//!").trim().split("  ").next().unwrap();
        layers.extend(names.split(", ").filter(|name| !name.is_empty()).map(|name| (name, layer)));
    }
    layers
}

#[test]
fn each_module_imports_only_from_the_layers_below_its_own() {
    let page = fs::read_to_string(format!("{SRC}/lib.rs")).unwrap();
    let layers = layers(&page);
    let (mut files, mut imports, mut wrong) = (Vec::new(), 0, Vec::new());
    sources(Path::new(SRC), &mut files);
    for file in files {
        let name = file.strip_prefix(SRC).unwrap().to_str().unwrap().replace('\\', "/");
        // The root of the crate re-exports from all of them.
        if name == "lib.rs" {
            continue;
        }
        let own = first(&name);
        let layer = |module: &str| {
            *layers.get(module).unwrap_or_else(|| panic!("{name}: {module} is in no layer of lib.rs"))
        };
        // Directly below the root `super` is the root, too.
        let roots: &[&str] = if name.contains('/') { &["crate::"] } else { &["crate::", "super::"] };
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            for path in roots.iter().flat_map(|root| line.split(root).skip(1)) {
                imports += 1;
                let module = first(path);
                if module != own && layer(module) <= layer(own) {
                    wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(imports > 50, "only {imports} imports were found");
    assert!(wrong.is_empty(), "imports from above or from beside:\n{}", wrong.join("\n"));
}

/// The files of each folder, and the files beside them that they import from.
fn imports_within_folders() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let (mut files, mut imports) = (Vec::new(), BTreeMap::new());
    sources(Path::new(SRC), &mut files);
    for file in &files {
        let folder = file.parent().unwrap();
        if folder == Path::new(SRC) {
            continue;
        }
        let text = fs::read_to_string(file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let siblings = code
            .flat_map(|line| line.split("super::").skip(1).map(first))
            .map(|module| folder.join(format!("{module}.rs")))
            .filter(|sibling| files.contains(sibling));
        imports.insert(file.clone(), siblings.collect());
    }
    imports
}

#[test]
fn the_files_of_a_folder_import_from_each_other_in_no_circle() {
    let mut open = imports_within_folders();
    let count: usize = open.values().map(BTreeSet::len).sum();
    assert!(count > 2, "only {count} imports were found");
    // What imports from no file that is left is in no circle, and neither is what imports from such files only.
    while let Some(file) = open.iter().find(|(_, from)| from.is_empty()).map(|(file, _)| file.clone()) {
        open.remove(&file);
        for from in open.values_mut() {
            from.remove(&file);
        }
    }
    assert!(open.is_empty(), "a circle of imports, or files that depend on one:\n{open:#?}");
}
