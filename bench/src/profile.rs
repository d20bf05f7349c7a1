//! How the programs of this library and of the Rust peers are compiled.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

/// A profile of cargo's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Profile {
    /// The default release profile, as a user builds.
    User,
    /// With fat LTO and one unit of code generation: this program itself.
    #[default]
    Fat,
}

impl Profile {
    pub const ALL: [Self; 2] = [Self::User, Self::Fat];

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "default release profile",
            Self::Fat => "fat LTO",
        }
    }

    /// The program that is compiled so.
    pub fn program(self) -> Result<PathBuf> {
        let own = std::env::current_exe()?;
        match self {
            Self::Fat => Ok(own),
            Self::User => {
                let folder =
                    own.parent().and_then(|folder| folder.parent()).context("a program without a folder")?;
                Ok(folder.join("user").join(own.file_name().context("a program without a name")?))
            }
        }
    }

    /// Compiles it, unless it is there already.
    pub fn build(self) -> Result<()> {
        if self == Self::Fat {
            return Ok(());
        }
        let program = self.program()?;
        // Nor does this program replace itself.
        if program == std::env::current_exe()? {
            return Ok(());
        }
        let target =
            program.parent().and_then(|folder| folder.parent()).context("a program without a folder")?;
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let status = Command::new("cargo")
            .args(["build", "--profile", "user", "--locked", "--manifest-path", manifest, "--target-dir"])
            .arg(target)
            .status()
            .context("running cargo")?;
        ensure!(status.success(), "cargo build --profile user failed");
        Ok(())
    }
}
