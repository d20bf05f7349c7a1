//! The processes of a load: each answers every line on its standard input with one line on its standard output.
//!
//! A process ends when its standard input ends, which is when the parent ends, however that happens.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;

use crate::Failure;

/// A process that answers commands. It is killed when this is dropped.
pub(crate) struct Worker {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Runs this program again with these arguments.
    pub(crate) fn start(arguments: &[String]) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("a process did not start: {error}; see ulimit -u, kernel.pid_max"))?;
        let commands = process.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        Ok(Self { process, commands, answers })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn tell(&mut self, command: &str) -> Result<(), Failure> {
        self.commands.write_all(format!("{command}\n").as_bytes())?;
        Ok(())
    }

    pub(crate) fn hear(&mut self) -> Result<Answer, Failure> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("process {} has ended: {:?}", self.id(), self.process.try_wait()?).into());
        }
        Ok(Answer(line.trim_end().to_owned()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Processes with the same work.
#[derive(Default)]
pub(crate) struct Workers(pub(crate) Vec<Worker>);

impl Workers {
    /// Gives the same command to all, and returns their answers.
    pub(crate) fn ask(&mut self, command: &str) -> Result<Vec<Answer>, Failure> {
        self.ask_each(|_| command.to_owned())
    }

    /// Gives a command to each, and then waits for their answers.
    pub(crate) fn ask_each(&mut self, command: impl Fn(usize) -> String) -> Result<Vec<Answer>, Failure> {
        for (index, worker) in self.0.iter_mut().enumerate() {
            worker.tell(&command(index))?;
        }
        self.0.iter_mut().map(Worker::hear).collect()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(Worker::id)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // All at once: to close ten thousand sockets takes a while.
        for worker in &mut self.0 {
            let _ = worker.process.kill();
        }
    }
}

/// An answer: `name=value` several times, with spaces between.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) String);

impl Answer {
    /// Returns the value of `name`.
    pub(crate) fn get<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        let text = self.text(name).ok_or_else(|| format!("no {name} in {:?}", self.0))?;
        text.parse().map_err(|_| format!("{name} in {:?} is no value", self.0).into())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Returns the sum of a number over answers.
pub(crate) fn sum(answers: &[Answer], name: &str) -> Result<u64, Failure> {
    answers.iter().map(|answer| answer.get::<u64>(name)).sum()
}
