//! Finds the program `wstest` of Autobahn's suite on this machine, or installs it into a private folder.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sha1::{Digest, Sha1};

use crate::process::Process;

/// The program of the suite, which is known to run.
#[derive(Debug)]
pub(crate) struct Suite {
    /// `wstest`.
    pub(crate) program: PathBuf,
    /// The version that it reports.
    pub(crate) version: String,
}

impl Suite {
    /// Finds the suite: `given`, or a `wstest` on the PATH, or an installation below `cache`, which is made if there is
    /// none (with `fresh`, in any case).
    ///
    /// Unless it is given, only the version that the expectations are written for is used.
    ///
    /// # Errors
    /// The given program does not run; or there is none and none can be installed: the error lists what was tried and
    /// what to do.
    pub(crate) async fn find(given: Option<&Path>, cache: &Path, fresh: bool) -> Result<Self, Missing> {
        if let Some(program) = given {
            let suite = Self::ask(program).await;
            return suite.map_err(|e| Missing(vec![format!("--wstest {}: {e}", program.display())]));
        }
        let mut tried = Vec::new();
        if let Some(program) = on_path() {
            match Self::ask_for_ours(&program).await {
                Ok(suite) => return Ok(suite),
                Err(e) => tried.push(format!("{}: {e}", program.display())),
            }
        }
        let mut made = true;
        for recipe in RECIPES {
            let folder = recipe.folder(cache);
            if fresh && folder.exists() {
                made = fs::remove_dir_all(&folder).is_ok();
            }
            if made
                && recipe.is_made(&folder)
                && let Ok(suite) = Self::ask_for_ours(&folder.join("bin/wstest")).await
            {
                return Ok(suite);
            }
        }
        for recipe in RECIPES {
            let folder = recipe.folder(cache);
            eprintln!(
                "Installing the Autobahn test suite with {} into {} ...",
                recipe.name,
                folder.display()
            );
            let made = recipe.make(&folder).await;
            match made {
                Ok(()) => match Self::ask_for_ours(&folder.join("bin/wstest")).await {
                    Ok(suite) => return Ok(suite),
                    Err(e) => tried.push(format!("install with {}: {e}", recipe.name)),
                },
                Err(e) => tried.push(format!("install with {}: {e}", recipe.name)),
            }
            eprintln!("The installation failed: {}", tried.last().map_or("", String::as_str));
        }
        Err(Missing(tried))
    }

    /// Checks that a program is the suite.
    async fn ask(program: &Path) -> Result<Self, String> {
        let asked = async {
            let process = Process::start(program, ["--autobahnversion"], ENVIRONMENT, Path::new(NO_LOG))?;
            process.output(Duration::from_secs(60)).await
        };
        let (status, text) = asked.await.map_err(|e: io::Error| format!("does not run: {e}"))?;
        let version = text.lines().find_map(|line| line.strip_prefix("AutobahnTestSuite "));
        match version {
            Some(version) if status.success() => {
                Ok(Self { program: program.to_owned(), version: version.trim().to_owned() })
            }
            _ => Err(format!("is not the suite: --autobahnversion ended with {status} and printed {text:?}")),
        }
    }

    async fn ask_for_ours(program: &Path) -> Result<Self, String> {
        let suite = Self::ask(program).await?;
        if suite.version == VERSION {
            Ok(suite)
        } else {
            Err(format!("version {}, not {VERSION}", suite.version))
        }
    }
}

/// The version that the expectations are written for.
const VERSION: &str = "25.10.1";

/// The environment of the suite: it uses the loopback interface only, and its output is not buffered.
pub(crate) const ENVIRONMENT: &[(&str, &str)] =
    &[("PYTHONUNBUFFERED", "1"), ("WSTEST_INTERFACE", "127.0.0.1")];

/// The variable in which our installations of the suite get the maximum size in bytes of all messages of a case
/// about compression.
pub(crate) const VOLUME: &str = "WSTEST_VOLUME";

/// The suite was not found and could not be installed.
#[derive(Debug)]
pub(crate) struct Missing(Vec<String>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the Autobahn test suite was not found and could not be installed, so nothing was tested. Tried:"
        )?;
        self.0.iter().try_for_each(|what| writeln!(f, "  {what}"))?;
        f.write_str(ADVICE)
    }
}

impl std::error::Error for Missing {}

const ADVICE: &str = "Any one of these helps (linux on amd64):
  Debian 11 or newer, `apt-get update` done: apt-get install gcc debian-archive-keyring python3
  Python 3.11 or 3.13 with its venv module on the PATH as python3 (Debian: apt-get install python3-venv), and pip able to download
  your own wstest, version 25.10.1: on the PATH, or given with --wstest PATH";

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join("wstest")).find(|program| program.is_file())
}

/// A way to install the suite, by scripts of this crate.
struct Recipe {
    /// What the installation is based on.
    name: &'static str,
    /// The scripts; the first one is run with the target folder as its argument.
    files: &'static [(&'static str, &'static str)],
}

/// The recipes in order of preference: the original code of the suite, then its translation to Python 3.
const RECIPES: &[Recipe] = &[
    Recipe {
        name: "Python 2",
        files: &[("install-python2.sh", include_str!("../wstest/install-python2.sh"))],
    },
    Recipe {
        name: "Python 3",
        files: &[
            ("install-python3.sh", include_str!("../wstest/install-python3.sh")),
            ("python3-convert.py", include_str!("../wstest/python3-convert.py")),
            ("python3-pins.txt", include_str!("../wstest/python3-pins.txt")),
        ],
    },
];

impl Recipe {
    /// Returns the folder of the installation, which differs for each recipe.
    fn folder(&self, cache: &Path) -> PathBuf {
        let mut hash = Sha1::new();
        for (name, text) in self.files {
            hash.update(format!("{name} {}\n{text}", text.len()));
        }
        let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        cache.join(format!("{}-{hash}", self.name.to_lowercase().replace(' ', "")))
    }

    /// Whether a complete installation is in the folder.
    fn is_made(&self, folder: &Path) -> bool {
        folder.join(".recipe").is_file()
    }

    async fn make(&self, folder: &Path) -> Result<(), String> {
        let scripts = folder.join("recipe");
        let log = folder.join("install.log");
        let made = async {
            fs::create_dir_all(&scripts)?;
            for (name, text) in self.files {
                fs::write(scripts.join(name), text)?;
            }
            let _ = fs::remove_file(&log);
            let args = [scripts.join(self.files[0].0), folder.to_owned()];
            Process::start(Path::new("bash"), &args, &[], &log)?.output(INSTALL_LIMIT).await
        };
        match made.await {
            Ok((status, _)) if status.success() => Ok(()),
            Ok((status, _)) => Err(format!("{status}: {} ({})", last_line(&log), log.display())),
            Err(e) => Err(format!("{e} ({})", log.display())),
        }
    }
}

fn last_line(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output").trim().to_owned()
}

/// An installation takes 20 seconds where downloads are fast.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// The standard error of the version check is discarded.
const NO_LOG: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_installer_has_a_separate_folder_whose_name_depends_on_every_file() {
        let cache = Path::new("cache");
        assert_ne!(RECIPES[0].folder(cache), RECIPES[1].folder(cache));
        let one = Recipe { name: "Python 3", files: &[("a", "1"), ("b", "2")] };
        let other = Recipe { name: "Python 3", files: &[("a", "1"), ("b", "3")] };
        assert_ne!(one.folder(cache), other.folder(cache));
        assert!(one.folder(cache).starts_with("cache"));
    }

    #[test]
    fn a_missing_installation_names_what_to_do() {
        let text = Missing(vec!["install with Python 2: no apt-get".to_owned()]).to_string();
        assert!(
            text.contains("nothing was tested")
                && text.contains("no apt-get")
                && text.contains("--wstest PATH")
        );
    }
}
