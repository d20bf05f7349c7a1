//! The commands of the prompt.

use super::terminal::{Terminal, state};
use super::*;

#[test]
fn a_slash_begins_a_command_and_two_begin_a_message() {
    let server = Serving::new(&[]);
    let mut terminal = Terminal::new(&[&server.url, "--no-history"], &state("slash"));
    terminal.shows("/help lists the commands");
    terminal.shows("> ");
    terminal.types("/help\r");
    let help = terminal.shows("begins with /");
    assert!(help.contains("/ping ") && help.contains("/close [CODE REASON]"), "{help:?}");
    terminal.types("/ping\r");
    terminal.shows("pong after ");
    terminal.types("//shrug\r");
    terminal.shows("< /shrug");
    terminal.types("/frob it\r");
    terminal.shows("there is no command /frob: /help lists the commands; write //frob it to send /frob it");
    terminal.types("/close 1005\r");
    terminal.shows("/close takes a code and a reason: ");
    terminal.types("/close\r");
    terminal.shows("closed by this end: ");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}

#[test]
fn close_sends_its_code_and_reason_and_succeeds() {
    let (seen, closed) = std::sync::mpsc::channel();
    let url = serving(move |mut socket| {
        let seen = seen.clone();
        async move {
            while let Ok(Some(_)) = socket.recv().await {}
            let info = socket.close_info().unwrap();
            seen.send((info.received.map(u16::from), info.reason.to_string())).unwrap();
            Ok(())
        }
    });
    let mut terminal = Terminal::new(&[&url, "--no-history"], &state("close"));
    terminal.shows("> ");
    terminal.types("/close 4000 good bye\r");
    terminal.shows("closed by this end: ");
    terminal.shows("4000");
    assert_eq!(closed.recv().unwrap(), (Some(4000), "good bye".to_owned()));
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}

#[test]
fn a_long_binary_message_ends_in_an_ellipsis() {
    let url = serving(|mut socket| async move {
        socket.send(vec![0xab; 65]).await?;
        socket.send(vec![0xcd; 64]).await?;
        socket.recv().await.map(|_| ())
    });
    let mut terminal = Terminal::new(&[&url, "--no-history"], &state("ellipsis"));
    let shown = terminal.shows("ab …");
    assert!(shown.contains("< (65 bytes) ab ab"), "{shown:?}");
    let shown = terminal.shows("cd\x1b[0m");
    assert!(shown.contains("< (64 bytes) cd cd"), "{shown:?}");
    terminal.types("\x04");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}
