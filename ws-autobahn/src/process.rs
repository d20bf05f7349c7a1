//! A child process that ends with its owner.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Split},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// A running program. Its output is written to a log file and can be read line by line.
///
/// Dropping it kills the program and all its children, which are in a separate process group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Split<BufReader<ChildStdout>>,
    log: File,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `program`; its output is appended to the file `log`.
    ///
    /// # Errors
    /// The log cannot be written, or the program cannot be started.
    pub(crate) fn start(
        program: &Path,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        envs: &[(&str, &str)],
        log: &Path,
    ) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(program);
        command.args(args).envs(envs.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        Ok(Self { child, lines: BufReader::new(stdout).split(b'\n'), log, ended: None })
    }

    /// Returns the next line of the standard output, or the exit status. Dropping the future loses no output.
    ///
    /// # Errors
    /// The output cannot be read or copied to the log.
    pub(crate) async fn next(&mut self) -> io::Result<Progress> {
        loop {
            let line = match self.ended {
                // A child of the program may keep the output open: only the end of the program itself counts.
                Some(_) => timeout(DRAIN, self.lines.next_segment()).await.unwrap_or(Ok(None))?,
                None => tokio::select! {
                    line = self.lines.next_segment() => line?,
                    status = self.child.wait() => {
                        self.ended = Some(status?);
                        continue;
                    }
                },
            };
            match (line, self.ended) {
                (Some(line), _) => {
                    self.log.write_all(&[&line[..], b"\n"].concat())?;
                    return Ok(Progress::Line(String::from_utf8_lossy(&line).into_owned()));
                }
                (None, Some(status)) => return Ok(Progress::Ended(status)),
                (None, None) => self.ended = Some(self.child.wait().await?),
            }
        }
    }

    /// Waits for the end and returns the whole output.
    ///
    /// # Errors
    /// Those of [`next`](Self::next), and `TimedOut` when the program has not ended after `limit`.
    pub(crate) async fn output(mut self, limit: Duration) -> io::Result<(ExitStatus, String)> {
        let mut text = String::new();
        let ended = timeout(limit, async {
            loop {
                match self.next().await? {
                    Progress::Line(line) => text.extend([&line, "\n"]),
                    Progress::Ended(status) => return io::Result::Ok(status),
                }
            }
        });
        match ended.await {
            Ok(status) => Ok((status?, text)),
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("no end after {} s", limit.as_secs())))
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Without an id the program has been waited for, and the number may belong to another process by now.
        #[cfg(unix)]
        if let Some(id) =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

/// An event of a process.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It has written a line.
    Line(String),
    /// It has ended.
    Ended(ExitStatus),
}

/// How long to wait, after the end, for output that was written before it.
const DRAIN: Duration = Duration::from_millis(200);

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::start(Path::new("/bin/sh"), ["-c", script], &[], Path::new("/dev/null")).unwrap()
    }

    #[tokio::test]
    async fn the_output_lines_and_the_status_of_a_process_arrive() {
        let (status, text) =
            shell("echo one; echo two; exit 3").output(Duration::from_secs(60)).await.unwrap();
        assert_eq!((status.code(), text.as_str()), (Some(3), "one\ntwo\n"));
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_runs_out_of_time() {
        let error = shell("exec sleep 600").output(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_seen_while_its_child_keeps_the_output_open() {
        let (status, text) =
            shell("sleep 600 & echo $!; exit 0").output(Duration::from_secs(60)).await.unwrap();
        assert!(status.success());
        let left = rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn dropping_a_process_also_ends_its_children() {
        let mut process = shell("sleep 600 & echo $!; wait");
        let Progress::Line(line) = process.next().await.unwrap() else { panic!("no line") };
        let inner = rustix::process::Pid::from_raw(line.parse().unwrap()).unwrap();
        rustix::process::test_kill_process(inner).unwrap();
        drop(process);
        for _ in 0..500 {
            if rustix::process::test_kill_process(inner).is_err() || is_zombie(inner) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{inner:?} still runs");
    }

    fn is_zombie(id: rustix::process::Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
        stat.split(' ').nth(2) == Some("Z")
    }
}
