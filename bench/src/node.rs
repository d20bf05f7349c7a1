//! ws on Node.js, the peer in JavaScript: the rig runs an echo on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::service::Service;
use crate::{hypercorn, machine};

/// What it needs from the system.
pub const PACKAGES: &str = "Node.js, and: npm install --prefix bench/node";

/// The server's program and arguments.
pub fn command(service: Service) -> Result<(PathBuf, Vec<String>)> {
    let compression = if service.deflate.is_some() { "deflate" } else { "plain" };
    let script = folder().join("server.js").display().to_string();
    let mut arguments = vec![
        "-c".to_owned(),
        machine::SERVER_CORE.to_string(),
        PROGRAM.to_owned(),
        script,
        compression.to_owned(),
    ];
    if service.tls {
        arguments.extend(hypercorn::certificate()?);
    }
    Ok(("taskset".into(), arguments))
}

/// Whether it can be run; if not, the error says why.
pub fn check() -> Result<()> {
    let output = Command::new(PROGRAM)
        .args(["-e", "require('ws')"])
        .current_dir(folder())
        .output()
        .context(PROGRAM)?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{PROGRAM}: {}", errors.lines().find(|line| line.contains("Error")).unwrap_or("failed"));
    }
    Ok(())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

const PROGRAM: &str = "node";
