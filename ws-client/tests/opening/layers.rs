//! The layers of the crate: a module imports only from modules above it in this list.

use std::fs;
use std::path::Path;

/// From the ground up. A folder is one module, except `native`, whose modules are in the list.
#[rustfmt::skip]
const ORDER: [&str; 40] = [
    "debug", "deadline", "retry_after", "http_version", "http2_config", "http2_error",
    "setting_error", "request_error", "address", "stream",
    "credentials", "backoff", "browser", "dial", "pem", "tls_error", "proxy_error", "tls",
    "challenge", "error", "chance", "request", "request_from",
    "connector", "resolver", "proxy", "proxy_choice", "route", "http2",
    "opening", "negotiated", "options", "setup", "attempt",
    "client", "shared", "reconnect", "upgrade", "native", "lib",
];

/// The position of a module in the list.
fn height(module: &str) -> usize {
    let found = ORDER.iter().position(|name| *name == module);
    found.unwrap_or_else(|| panic!("`{module}` is not in ORDER: add it above everything that it imports"))
}

/// Reports each import of a file of `module` from a module that is not below it.
fn check(file: &Path, module: &str, faults: &mut Vec<String>) {
    if file.is_dir() {
        return fs::read_dir(file).unwrap().for_each(|below| check(&below.unwrap().path(), module, faults));
    }
    let text = fs::read_to_string(file).unwrap();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        assert!(!line.contains("crate::{"), "{}: write one `use` for each module: {line}", file.display());
        for path in line.split("crate::").skip(1) {
            let other = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if other != module && height(other) >= height(module) {
                faults.push(format!("{}: `{module}` imports `{other}`, which is above it", file.display()));
            }
        }
    }
}

#[test]
fn modules_import_only_from_lower_layers() {
    let (mut faults, mut modules) = (Vec::new(), 0);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for folder in [source.clone(), source.join("native")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path != source.join("native") {
                check(&path, path.file_stem().unwrap().to_str().unwrap(), &mut faults);
                modules += 1;
            }
        }
    }
    assert!(modules >= ORDER.len(), "{modules} modules were checked");
    assert!(faults.is_empty(), "{faults:#?}");
}
