//! What is to be sent: lines of standard input, or of a prompt. Each is read by its own thread, because a read of a
//! terminal or a pipe cannot be cancelled.

use std::env;
use std::fs;
use std::io::{self, BufRead, Read as _, Write as _};
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Editor, ExternalPrinter};
use tokio::sync::mpsc;
use ws_client::Message;

use crate::command::{Command, Typed};

/// The next of the input; nothing follows [`End`](Self::End), [`Interrupt`](Self::Interrupt) or
/// [`Failed`](Self::Failed).
#[derive(Debug)]
pub(crate) enum Input {
    Line(Message),
    /// A line at the prompt that is not to be sent.
    Command(Command),
    End,
    /// Ctrl-C at the prompt, where it is a key and no signal.
    Interrupt,
    Failed(String),
}

impl Input {
    fn is_last(&self) -> bool {
        !matches!(self, Self::Line(_) | Self::Command(_))
    }
}

/// The lines of standard input.
pub(crate) fn lines(binary: bool) -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(WAITING_LINES);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let next = match read_line(&mut input) {
                Ok(Some(line)) => Input::Line(message(line, binary)),
                Ok(None) => Input::End,
                Err(error) => Input::Failed(format!("standard input: {error}")),
            };
            let last = next.is_last();
            if sender.blocking_send(next).is_err() || last {
                return;
            }
        }
    });
    receiver
}

/// A prompt with history, a printer of lines above it, and the guard that restores the terminal at the end.
///
/// # Errors
/// When the terminal does not support it (`TERM=dumb`, for instance).
pub(crate) fn prompt(
    binary: bool,
    history: bool,
) -> rustyline::Result<(mpsc::Receiver<Input>, Box<dyn ExternalPrinter + Send>, Restore)> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "elsewhere the editor is not waited for"))]
    let mut restore = Restore::new();
    let config = rustyline::Config::builder()
        .auto_add_history(true)
        .history_ignore_space(true)
        // Each pasted line is a message.
        .bracketed_paste(false)
        .build();
    let mut editor = Editor::<(), DefaultHistory>::with_config(config)?;
    let printer = editor.create_external_printer()?;
    #[cfg(unix)]
    let waker = editor.create_external_printer()?;
    let file = history.then(history_file).flatten();
    let (sender, receiver) = mpsc::channel(PROMPT_LINES);
    let thread = std::thread::spawn(move || {
        if let Some(file) = &file {
            // There is none the first time.
            let _ = editor.load_history(file);
        }
        loop {
            let next = match editor.readline("> ") {
                Ok(line) => {
                    if let Some(file) = &file {
                        // After each line, because the process may end at any time. No session fails because of it.
                        let _ = editor.append_history(file);
                    }
                    match Typed::new(line) {
                        Typed::Text(text) => Input::Line(message(text.into_bytes(), binary)),
                        Typed::Command(command) => Input::Command(command),
                    }
                }
                Err(ReadlineError::Eof) => Input::End,
                Err(ReadlineError::Interrupted) => Input::Interrupt,
                Err(error) => Input::Failed(format!("the terminal: {error}")),
            };
            let last = next.is_last();
            if sender.blocking_send(next).is_err() || last {
                return;
            }
        }
    });
    #[cfg(unix)]
    {
        restore.editing = Some(Editing { thread, waker: Box::new(waker) });
    }
    #[cfg(not(unix))]
    drop(thread);
    Ok((receiver, Box::new(printer), restore))
}

/// Restores the terminal, also when the server ends the session in the middle of a line.
pub(crate) struct Restore {
    #[cfg(unix)]
    editing: Option<Editing>,
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
}

impl Restore {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            editing: None,
            #[cfg(unix)]
            modes: keep_keys().ok(),
        }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // What was being typed must not remain in front of the shell's prompt.
        const CLEAR: &[u8] = b"\r\x1b[K";
        #[cfg(unix)]
        if let Some(editing) = self.editing.take()
            && let Ok((mut input, mut output)) = take_terminal()
        {
            editing.end();
            let _ = output.write_all(CLEAR);
            // Last: the editor, which changes the modes for each line, cannot do so any longer.
            self.restore_modes(&mut input);
            return;
        }
        let _ = io::stdout().lock().write_all(CLEAR);
        let _ = io::stdout().lock().flush();
        #[cfg(unix)]
        self.restore_modes(&mut io::stdin());
    }
}

#[cfg(unix)]
impl Restore {
    fn restore_modes(&self, terminal: &mut impl std::os::fd::AsFd) {
        if let Some(modes) = &self.modes {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(terminal, now, modes);
        }
    }
}

/// The editor's thread.
#[cfg(unix)]
struct Editing {
    thread: std::thread::JoinHandle<()>,
    waker: Box<dyn ExternalPrinter + Send>,
}

#[cfg(unix)]
impl Editing {
    /// Waits until the thread has ended, after [`take_terminal`]: it may be inside a system call that still changes the modes of
    /// the terminal, which returns when all output has been shown. A wait for a key ends with what the waker prints, and the
    /// next read is the end of the input.
    fn end(self) {
        let Self { thread, mut waker } = self;
        let (ended, end) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            // Without the editor there is nobody to wake.
            let _ = waker.print(String::new());
            let _ = thread.join();
            drop(ended);
        });
        // A terminal that shows nothing more (Ctrl-S) does not keep the process.
        let _ = end.recv_timeout(EDITOR_END);
    }
}

/// Takes standard input and output away from the editor, whose thread cannot be ended and may be about to print its prompt
/// again and to change the modes of the terminal, and returns what they were.
#[cfg(unix)]
fn take_terminal() -> io::Result<(fs::File, fs::File)> {
    use std::os::fd::AsFd as _;

    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    let nothing = fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stdin(&nothing)?;
    Ok((input.into(), output.into()))
}

/// Makes the terminal pass on each key unchanged, and returns its modes before. The prompt does this itself while it reads
/// a line; between two lines the terminal would make lines of what is typed ahead, and lose Ctrl-D.
#[cfg(unix)]
fn keep_keys() -> io::Result<rustix::termios::Termios> {
    use rustix::termios::{InputModes, LocalModes, OptionalActions, tcgetattr, tcsetattr};

    let before = tcgetattr(io::stdin())?;
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN);
    modes.input_modes.remove(InputModes::ICRNL | InputModes::IXON);
    tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
    Ok(before)
}

/// The next line without its end; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.take(LONGEST_LINE + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|byte| *byte == b'\n').is_some() {
        line.pop_if(|byte| *byte == b'\r');
    } else if line.len() as u64 > LONGEST_LINE {
        return Err(io::Error::other(format!("a line is longer than {LONGEST_LINE} bytes")));
    }
    Ok(Some(line))
}

/// Only UTF-8 is text (RFC 6455 section 5.6): other lines are binary messages.
fn message(line: Vec<u8>, binary: bool) -> Message {
    if binary {
        return Message::binary(line);
    }
    match String::from_utf8(line) {
        Ok(text) => Message::text(text),
        Err(error) => Message::binary(error.into_bytes()),
    }
}

/// The path of the history. Creates its directory.
fn history_file() -> Option<PathBuf> {
    let state = match env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env::var_os("HOME")?).join(".local/state"),
    };
    let directory = state.join("ws");
    fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

/// In bytes. A line is a message, which is held as a whole.
const LONGEST_LINE: u64 = 64 << 20;
const WAITING_LINES: usize = 16;
/// How long the end of a session waits for a terminal that shows nothing.
#[cfg(unix)]
const EDITOR_END: std::time::Duration = std::time::Duration::from_secs(2);
/// A prompt's channel is never full, however many lines are pasted: while the editor's thread waited for room it would print
/// nothing, and the session, which makes the room, waits for it to print.
const PROMPT_LINES: usize = tokio::sync::Semaphore::MAX_PERMITS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_lf_crlf_or_the_end() {
        let mut input: &[u8] = b"a\r\nb\n\n\rc\r";
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut input).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, [&b"a"[..], b"b", b"", b"\rc\r"]);
    }

    #[test]
    fn a_line_that_is_not_utf8_goes_as_binary() {
        assert_eq!(message(b"\xff".to_vec(), false), Message::binary(vec![0xff]));
        assert_eq!(message(b"a".to_vec(), false), Message::text("a"));
        assert_eq!(message(b"a".to_vec(), true), Message::binary(b"a".to_vec()));
    }
}
