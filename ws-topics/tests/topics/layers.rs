//! The layers of the crate, as its front page lists them: a module imports only from the lines below its own.

use std::fs;
use std::path::Path;

/// The modules, each with the number of its line, the topmost first.
fn layers(page: &str) -> Vec<(String, usize)> {
    let table = page.split("//! # The layers").nth(1).unwrap().split("```").nth(1).unwrap();
    let lines = table.lines().skip(1).map(|line| line.trim_start_matches("//!").trim()).enumerate();
    lines
        .flat_map(|(layer, line)| {
            let names = line.split("  ").next().unwrap();
            names.split(", ").map(move |name| (name.to_owned(), layer)).collect::<Vec<_>>()
        })
        .collect()
}

/// Reports each import of a file of `module` from a module that is not below it.
fn check(file: &Path, module: &str, layers: &[(String, usize)], imports: &mut usize) {
    if file.is_dir() {
        return fs::read_dir(file)
            .unwrap()
            .for_each(|below| check(&below.unwrap().path(), module, layers, imports));
    }
    let layer = |module: &str| {
        let found = layers.iter().find(|(name, _)| name == module);
        found.unwrap_or_else(|| panic!("`{module}` is in no layer of lib.rs")).1
    };
    let text = fs::read_to_string(file).unwrap();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for path in line.split("crate::").skip(1) {
            let other = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            // What is re-exported has a capital.
            if other != module && !other.starts_with(char::is_uppercase) {
                *imports += 1;
                let below = layer(other) > layer(module);
                assert!(below, "{}: `{module}` imports `{other}`, which is not below it", file.display());
            }
        }
    }
}

#[test]
fn modules_import_only_from_the_layers_below_their_own() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = layers(&fs::read_to_string(source.join("lib.rs")).unwrap());
    let mut imports = 0;
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        if module != "lib" {
            check(&path, module, &layers, &mut imports);
        }
    }
    assert!(imports > 30, "only {imports} imports were found");
}
