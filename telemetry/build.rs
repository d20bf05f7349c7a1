//! Takes the how-to's programs that the product's workspace ignores, to be compiled.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const HOW_TO: &str = "../ws-server/docs/observe.md";
/// How a program begins that needs crates which the product's workspace does not have. With `--ignored` rustdoc reports it as
/// compiled, and compiles nothing (1.95).
const IGNORED: &str = "```rust,ignore\n";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={HOW_TO}");
    let text = fs::read_to_string(HOW_TO)?;
    if !text.contains(IGNORED) {
        return Err(format!("{HOW_TO} has no program that begins with {IGNORED:?}").into());
    }
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("observe.md"), text.replace(IGNORED, "```rust,no_run\n"))?;
    Ok(())
}
