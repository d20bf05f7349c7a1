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
    let mut arguments = vec![script().display().to_string(), machine::SERVER_CORE.to_string()];
    arguments.extend(certificate()?);
    Ok((PROGRAM.into(), arguments))
}

/// The paths of a new certificate and of its key, for a server that is another program.
pub fn certificate() -> Result<[String; 2]> {
    let folder = std::env::temp_dir().join(format!("ws-bench-{}-certificate", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (certificate, key) = tls::certificate()?;
    let write = |name: &str, text| -> Result<String> {
        let path = folder.join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    Ok([write("certificate.pem", certificate)?, write("key.pem", key)?])
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
