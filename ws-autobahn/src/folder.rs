//! The folder of a run: one run at a time, and nothing of an earlier one.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A folder that no other run uses while this is kept.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if there is none, and takes it.
    ///
    /// # Errors
    /// It cannot be made, or another run uses it.
    pub(crate) fn take(path: &Path) -> Result<Self, String> {
        let wrong = |e: io::Error| format!("{}: {e}", path.display());
        fs::create_dir_all(path).map_err(wrong)?;
        let path = fs::canonicalize(path).map_err(wrong)?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// A file or folder in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// As `join`, and what an earlier run left there is gone, so that it cannot be taken for this one's.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(format!("{}: {e}", path.display())),
            _ => Ok(path),
        }
    }
}

/// The folder of the workspace when cargo runs this, otherwise the current one.
pub(crate) fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package.as_deref().and_then(Path::parent).map_or_else(PathBuf::new, Path::to_owned)
}

/// Two runs in one folder would mix their reports.
fn lock(out: &Path) -> Result<File, String> {
    let path = out.join("lock");
    let file = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(e) => Err(format!(
            "another run uses {} ({e}); wait for it, or choose another folder with --out",
            out.display()
        )),
    }
}
