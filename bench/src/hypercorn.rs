//! hypercorn, the peer in Python: the rig runs an echo on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{machine, tls};

/// What it needs from the system.
pub const PACKAGES: &str = "pip install hypercorn, for the python3 of the path";

/// The server's program and arguments.
pub fn command() -> Result<(PathBuf, Vec<String>)> {
    let folder = std::env::temp_dir().join(format!("ws-bench-{}-hypercorn", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (certificate, key) = tls::certificate()?;
    let mut arguments = vec![script().display().to_string(), machine::SERVER_CORE.to_string()];
    for (name, text) in [("certificate.pem", certificate), ("key.pem", key)] {
        let path = folder.join(name);
        fs::write(&path, text)?;
        arguments.push(path.display().to_string());
    }
    Ok((PROGRAM.into(), arguments))
}

/// Whether it can be run; if not, the error says why.
pub fn check() -> Result<()> {
    let output = Command::new(PROGRAM).args(["-c", "import hypercorn"]).output().context(PROGRAM)?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{PROGRAM}: {}", errors.lines().last().unwrap_or("failed"));
    }
    Ok(())
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hypercorn/server.py")
}

const PROGRAM: &str = "python3";
