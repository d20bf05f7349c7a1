//! The TLS configuration that new connections get, kept up with its files.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use rustls::ServerConfig;
use tokio::sync::oneshot;

use crate::config::error::SettingError;
use crate::transport::tls::{Tls, Version};

/// The configuration that new connections get, kept up with its files.
pub(crate) struct CurrentTls {
    source: Tls,
    config: RwLock<Arc<ServerConfig>>,
    known: Mutex<Known>,
}

/// What has been seen of the files.
struct Known {
    /// The version that the configuration was made from; one that could not be used is not remembered, so that it is
    /// tried again: its permissions may be set later than its content.
    version: Option<Version>,
    /// What was wrong at the last attempt: it is logged once.
    fault: Option<SettingError>,
}

/// What came of looking at the files.
#[derive(Debug, PartialEq, Eq)]
enum Refreshed {
    Unchanged,
    Read,
    Unusable,
}

impl CurrentTls {
    pub(crate) fn new(source: Tls) -> Result<Self, SettingError> {
        source.check()?;
        // Before the files are read: what changes meanwhile is read again.
        let known = Mutex::new(Known { version: source.version(), fault: None });
        Ok(Self { config: RwLock::new(source.config()?), source, known })
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again whenever one of them has changed since they were read last, for as long as it is polled.
    /// What cannot be used is left alone: the server goes on with what it has, and says so.
    pub(crate) async fn follow_files(self: Arc<Self>) {
        let Some(interval) = self.source.polled_every() else { return };
        loop {
            let (done, is_done) = oneshot::channel();
            let this = self.clone();
            // A file system can be slow, and a read of it may never end. The runtime would wait for that when it is shut down, if
            // it ran on one of its threads.
            let thread = thread::Builder::new().name("certificates".into()).spawn(move || {
                this.refresh();
                let _ = done.send(());
            });
            match thread {
                // An error means that the look has ended, too.
                Ok(_) => drop(is_done.await),
                Err(error) => tracing::warn!(%error, "cannot look at the files of the TLS certificate"),
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Reads the files if they are others than those that were read last.
    fn refresh(&self) -> Refreshed {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.source.version();
        if version == known.version {
            known.fault = None;
            return Refreshed::Unchanged;
        }
        match self.source.config() {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
                *known = Known { version, fault: None };
                tracing::info!("TLS certificate read again");
                Refreshed::Read
            }
            Err(error) => {
                if known.fault.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the changed TLS certificate cannot be used; going on with the old one");
                }
                known.fault = Some(error);
                Refreshed::Unusable
            }
        }
    }
}

#[cfg(all(test, feature = "ring"))]
mod tests {
    use std::fs::{self, File};
    use std::path::PathBuf;
    use std::time::SystemTime;

    use tracing::subscriber::DefaultGuard;

    use super::*;
    use crate::transport::logged::{Log, logged};

    /// A chain and its key in files, which go when the test ends; and the log of its thread, which is on in all of these tests: an event
    /// that a thread reaches first with its log off can be off for another thread, which turns its log on at that moment.
    struct Files(PathBuf, #[expect(dead_code, reason = "held")] (Log, DefaultGuard));

    impl Files {
        fn new(test: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("ws-server-{test}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder, logged())
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn tls(&self) -> CurrentTls {
            CurrentTls::new(Tls::from_pem_files(self.0.join("chain"), self.0.join("key"))).unwrap()
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A file of `tests/pem`.
    fn pem(name: &str) -> String {
        fs::read_to_string(format!("{}/tests/pem/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn a_change_of_the_chain_alone_and_of_the_key_alone_is_seen() {
        let files = Files::new("either-file");
        files.write("chain", &pem("localhost"));
        files.write("key", &pem("localhost.key"));
        let tls = files.tls();
        assert_eq!(tls.refresh(), Refreshed::Unchanged);
        // As a renewed certificate for the same key: the comment makes it another length, whatever the clock's step.
        files.write("chain", &format!("renewed\n{}", pem("localhost")));
        assert_eq!((tls.refresh(), tls.refresh()), (Refreshed::Read, Refreshed::Unchanged));
        files.write("key", &format!("written anew\n{}", pem("localhost.key")));
        assert_eq!((tls.refresh(), tls.refresh()), (Refreshed::Read, Refreshed::Unchanged));
    }

    #[test]
    fn files_that_could_not_be_read_are_tried_again_although_time_and_length_are_unchanged() {
        let files = Files::new("tried-again");
        files.write("chain", &pem("localhost"));
        files.write("key", &pem("localhost.key"));
        let tls = files.tls();
        let before = tls.config();

        // As a key whose permissions are still to be set: it is there, and cannot be used.
        let time = SystemTime::UNIX_EPOCH;
        let write_key = |text: &str| {
            files.write("key", text);
            File::options().write(true).open(files.0.join("key")).unwrap().set_modified(time).unwrap();
        };
        files.write("chain", &format!("new\n{}", pem("other")));
        write_key(&"x".repeat(pem("other.key").len()));
        assert_eq!((tls.refresh(), tls.refresh()), (Refreshed::Unusable, Refreshed::Unusable));
        assert!(Arc::ptr_eq(&tls.config(), &before), "what cannot be used changes nothing");
        write_key(&pem("other.key"));
        assert_eq!((tls.refresh(), tls.refresh()), (Refreshed::Read, Refreshed::Unchanged));
        assert!(!Arc::ptr_eq(&tls.config(), &before));
    }

    #[test]
    fn an_error_in_the_certificate_files_is_logged_once_and_again_when_it_changes() {
        let files = Files::new("warned-once");
        files.write("chain", &pem("localhost"));
        files.write("key", &pem("localhost.key"));
        let tls = files.tls();
        let warnings = || {
            let (log, _guard) = logged();
            assert_eq!(tls.refresh(), Refreshed::Unusable);
            log.text().matches("WARN").count()
        };
        files.write("key", "no key");
        assert_eq!((warnings(), warnings(), warnings()), (1, 0, 0));
        fs::remove_file(files.0.join("key")).unwrap();
        assert_eq!((warnings(), warnings()), (1, 0));
    }

    #[test]
    fn files_that_go_and_come_back_as_they_were_change_nothing() {
        let files = Files::new("come-back");
        files.write("chain", &pem("localhost"));
        files.write("key", &pem("localhost.key"));
        let tls = files.tls();
        fs::rename(files.0.join("key"), files.0.join("elsewhere")).unwrap();
        assert_eq!(tls.refresh(), Refreshed::Unusable);
        fs::rename(files.0.join("elsewhere"), files.0.join("key")).unwrap();
        assert_eq!(tls.refresh(), Refreshed::Unchanged);
    }

    #[test]
    fn what_changed_before_the_first_look_is_read() {
        let files = Files::new("before-the-first");
        files.write("chain", &pem("localhost"));
        files.write("key", &pem("localhost.key"));
        let tls = files.tls();
        files.write("chain", &format!("renewed\n{}", pem("localhost")));
        assert_eq!(tls.refresh(), Refreshed::Read);
    }

    #[cfg(unix)]
    #[test]
    fn a_read_that_does_not_end_does_not_keep_the_runtime_from_ending() {
        let files = Files::new("no-end");
        files.write("chain", &pem("localhost"));
        files.write("key", &pem("localhost.key"));
        let tls = Arc::new(files.tls());
        // Opening a pipe waits until its other end is opened, and reading it until something is written there.
        let chain = files.0.join("chain");
        fs::remove_file(&chain).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&chain).status().unwrap().success());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.spawn(tls.follow_files());
        let writer = File::options().write(true).open(&chain).unwrap();
        let (ended, has_ended) = std::sync::mpsc::channel();
        thread::spawn(move || {
            drop(runtime);
            ended.send(()).unwrap();
        });
        let outcome = has_ended.recv_timeout(std::time::Duration::from_secs(30));
        drop(writer);
        assert_eq!(outcome, Ok(()));
    }
}
