//! The output folder of a run, which is used by one run at a time and contains no files of earlier runs.

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// An output folder that no other run can use while this value exists.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Creates the folder if necessary and locks it.
    ///
    /// # Errors
    /// The folder cannot be created, or another run uses it.
    pub(crate) fn take(path: &Path) -> Result<Self, String> {
        let wrong = |e: io::Error| format!("{}: {e}", path.display());
        fs::create_dir_all(path).map_err(wrong)?;
        let path = fs::canonicalize(path).map_err(wrong)?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Returns the path of a file or folder in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Like `join`, and removes what an earlier run left there, so that it cannot be mistaken for a result of this run.
    ///
    /// # Errors
    /// It could not be removed.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(format!("{}: {e}", path.display())),
            _ => Ok(path),
        }
    }
}

/// Returns the folder of the workspace when cargo runs this program, otherwise the current folder.
pub(crate) fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package.as_deref().and_then(Path::parent).map_or_else(PathBuf::new, Path::to_owned)
}

/// Locks the folder, because two runs in one folder would mix their reports.
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
