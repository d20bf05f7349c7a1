//! The folders of the sources: each imports only from those above it.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up.
const LAYERS: [&str; 8] = ["observe", "config", "transport", "web", "hub", "opening", "serve", "embed"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// The layer that a path such as `hub/registry.rs`, `hub.rs` or `hub::registry` begins with.
fn layer(path: &str) -> Option<usize> {
    let first = path.split(['/', '.', ':']).next()?;
    LAYERS.iter().position(|layer| *layer == first)
}

#[test]
fn each_folder_imports_only_from_itself_and_the_folders_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut imports, mut wrong) = (Vec::new(), 0, Vec::new());
    sources(&root, &mut files);
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        // The root of the crate re-exports from all of them.
        if name == "lib.rs" {
            continue;
        }
        let from = layer(&name).unwrap_or_else(|| panic!("{name} is in no folder"));
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            // Paths in code count too; those of the root, such as `crate::Server`, are in no layer.
            for path in line.split("crate::").skip(1) {
                imports += 1;
                if layer(path).is_none_or(|to| to > from) {
                    wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(imports > 100, "only {imports} imports were found");
    assert!(wrong.is_empty(), "imports from above:\n{}", wrong.join("\n"));
}
