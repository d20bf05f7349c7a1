//! uWebSockets, the peer that is not Rust: a crate carries its C++ sources, the rig builds a server from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::machine;
use crate::service::{Service, Task};

/// What the build needs from the system.
pub const PACKAGES: &str = "g++ zlib1g-dev libdeflate-dev";

/// The server's program and arguments.
pub fn command(service: Service) -> Result<(PathBuf, Vec<String>)> {
    let task = match service.task {
        Task::Echo | Task::Readme => "echo",
        Task::Handshake => "handshake",
        Task::Broadcast => "broadcast",
    };
    if service.tls || service.takeover || service.workers != 1 {
        bail!("uWebSockets is here without TLS, takeover and a second worker");
    }
    let compression = match service.deflate {
        None => "plain",
        Some(crate::compress::LEVEL) => "deflate",
        Some(level) => bail!("uWebSockets has no setting for a level of compression, here {level}"),
    };
    let core = machine::SERVER_CORE.to_string();
    let codec = if service.short { Codec::Libdeflate } else { Codec::Zlib };
    let burst = service.burst.unwrap_or(1).to_string();
    Ok((codec.program()?, [task, compression, &core, &burst].map(str::to_owned).to_vec()))
}

/// What it is built with. Its way through libdeflate ends at messages of 1 KiB: it tries longer ones there in vain, and
/// then takes zlib.
#[derive(Debug, Clone, Copy)]
enum Codec {
    Libdeflate,
    Zlib,
}

impl Codec {
    /// The server, beside the rig.
    fn program(self) -> Result<PathBuf> {
        let name = match self {
            Self::Libdeflate => "uwebsockets-libdeflate",
            Self::Zlib => "uwebsockets-zlib",
        };
        Ok(std::env::current_exe()?.with_file_name(name))
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Libdeflate => &["-DUWS_USE_LIBDEFLATE", "-ldeflate", "-lz"],
            Self::Zlib => &["-lz"],
        }
    }
}

/// Builds the servers, unless there are some that are younger than their source and this program.
pub fn build() -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("uwebsockets/server.cpp");
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    let needed = changed(&source)?.max(changed(&std::env::current_exe()?)?);
    for codec in [Codec::Libdeflate, Codec::Zlib] {
        let program = codec.program()?;
        if changed(&program).unwrap_or(SystemTime::UNIX_EPOCH) < needed {
            eprintln!("building {} ...", program.display());
            compile(&source, codec, &program)?;
        }
    }
    Ok(())
}

/// As uWebSockets' own makefiles do, but for the baseline of the architecture: so are the Rust peers.
fn compile(source: &Path, codec: Codec, program: &Path) -> Result<()> {
    let upstream = sources()?.join("uWebSockets");
    let usockets = upstream.join("uSockets/src");
    let objects = program.with_extension("objects");
    fs::create_dir_all(&objects)?;
    let compiler = |name, standard| {
        let mut command = Command::new(name);
        command.current_dir(&objects).args(["-O3", "-flto=auto", "-DLIBUS_NO_SSL", standard]);
        command.arg("-I").arg(&usockets);
        command
    };
    const UNITS: [&str; 6] = ["bsd.c", "context.c", "loop.c", "socket.c", "udp.c", "eventing/epoll_kqueue.c"];
    output(compiler("gcc", "-std=c11").arg("-c").args(UNITS.map(|unit| usockets.join(unit))))?;
    let units = UNITS.map(|unit| Path::new(unit).with_extension("o"));
    output(
        compiler("g++", "-std=c++20")
            .arg("-I")
            .arg(upstream.join("src"))
            .arg(source)
            .args(units.iter().filter_map(|unit| unit.file_name()))
            .args(codec.arguments())
            .arg("-o")
            .arg(program),
    )?;
    Ok(())
}

/// The folder of the crate with the sources, which cargo downloads if need be.
fn sources() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--locked", "--format-version", "1", "--manifest-path"]).arg(manifest);
    let metadata: serde_json::Value = serde_json::from_slice(&output(&mut cargo)?)?;
    let packages = metadata["packages"].as_array().context("cargo names no packages")?;
    let package = packages.iter().find(|package| package["name"] == "libuwebsockets-sys");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    Ok(folder.context("cargo does not know libuwebsockets-sys")?.to_owned())
}

/// What a program prints. Its first complaint, in one line, if it fails.
fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("running {name}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let first = errors.lines().find(|line| line.contains("error")).or(errors.lines().next());
        bail!("{name}: {}", first.unwrap_or("failed"));
    }
    Ok(output.stdout)
}
