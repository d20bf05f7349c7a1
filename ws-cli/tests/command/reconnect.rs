//! `--reconnect`.

use std::process::{ChildStderr, ChildStdout};

use super::*;

/// `ws --reconnect` with these arguments: its standard output and error, line by line.
struct Reconnecting {
    child: std::process::Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Reconnecting {
    fn new(arguments: &[&str]) -> Self {
        let mut child = ws(&[arguments, &["--reconnect"]].concat()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Reads standard error up to the line that has this in it.
    fn says(&mut self, what: &str) {
        let mut all = String::new();
        while !all.lines().last().is_some_and(|line| line.contains(what)) {
            assert_ne!(self.stderr.read_line(&mut all).unwrap(), 0, "{what:?} is not in {all:?}");
        }
    }
}

#[test]
fn a_connection_that_the_server_ends_is_followed_by_another_until_the_input_ends() {
    // It closes after each message.
    let url = serving(|mut socket| async move {
        if let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok(())
    });
    let mut reconnecting = Reconnecting::new(&[&url, "-m", "subscribe"]);
    for _ in 0..3 {
        assert_eq!(reconnecting.line(), "subscribe\n");
        reconnecting.says("the server closed with 1000");
        reconnecting.says("connecting again in ");
    }
    drop(reconnecting.child.stdin.take());
    assert_eq!(wait(&mut reconnecting.child).code(), Some(0));
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    // Kept until the command has been refused: nobody else gets the port meanwhile, unless by chance.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut reconnecting = Reconnecting::new(&[&address]);
    reconnecting.says("is the server running?; attempt 1 failed, trying again in ");
    let _server = Serving::at(&address, &[]);
    reconnecting.child.stdin.take().unwrap().write_all(b"kept in the pipe\n").unwrap();
    assert_eq!(reconnecting.line(), "kept in the pipe\n");
    assert_eq!(wait(&mut reconnecting.child).code(), Some(0));
}

#[test]
fn an_error_that_stays_ends_a_reconnecting_session() {
    let missing = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let output = run(&[&format!("ws://{missing}/"), "--reconnect"], b"");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("nothing at this path") && !said.contains("again in"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_wait_for_a_connection() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut reconnecting = Reconnecting::new(&[&address]);
    reconnecting.says("trying again in ");
    signal(&reconnecting.child, rustix::process::Signal::INT);
    assert_eq!(wait(&mut reconnecting.child).code(), Some(130));
}

#[cfg(unix)]
#[test]
fn a_line_typed_without_a_connection_is_sent_on_the_next() {
    use super::terminal::{Terminal, state};
    let server = Serving::new(&[]);
    let address = server.url.trim_start_matches("ws://").to_owned();
    let mut terminal = Terminal::new(&[&address, "--reconnect", "--no-history"], &state("reconnect"));
    terminal.shows("connected to ");
    drop(server);
    terminal.shows("closed by the server");
    terminal.shows("trying again in ");
    terminal.types("typed meanwhile\r");
    terminal.shows("not connected: it is sent as soon as there is a connection");
    let _server = Serving::at(&address, &[]);
    terminal.shows("connected to ");
    terminal.shows("< typed meanwhile");
    terminal.types("\x04");
    terminal.shows("closed by this end");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}

#[cfg(unix)]
#[test]
fn the_end_of_the_input_ends_the_wait_at_a_prompt() {
    use super::terminal::{Terminal, state};
    let server = Serving::new(&[]);
    let mut terminal = Terminal::new(&[&server.url, "--reconnect", "--no-history"], &state("leave"));
    terminal.shows("connected to ");
    drop(server);
    terminal.shows("trying again in ");
    terminal.types("\x04");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}
