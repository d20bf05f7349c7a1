//! The commands of the prompt: lines that begin with a slash.

use ws_client::CloseCode;

/// A line typed at the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A message with this text.
    Text(String),
    Command(Command),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Ping,
    Close {
        code: CloseCode,
        reason: String,
    },
    Help,
    /// An unknown or incomplete command, with what to write instead.
    Wrong(String),
}

/// What `/help` shows.
pub(crate) const HELP: &str = "\
/ping                 send a ping and print the round-trip time
/close [CODE REASON]  close with this code (default 1000) and reason
/help                 list these commands
//TEXT                send a message that begins with /";

impl Typed {
    pub(crate) fn new(line: String) -> Self {
        let Some(command) = line.strip_prefix('/') else { return Self::Text(line) };
        if command.starts_with('/') {
            return Self::Text(command.to_owned());
        }
        let (name, arguments) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        Self::Command(match (name, arguments.trim()) {
            ("ping", "") => Command::Ping,
            ("help", "") => Command::Help,
            ("ping" | "help", _) => Command::Wrong(format!("/{name} takes no argument")),
            ("close", arguments) => close(arguments),
            _ => Command::Wrong(format!(
                "there is no command /{name}: /help lists the commands; write //{command} to send /{command}"
            )),
        })
    }
}

fn close(arguments: &str) -> Command {
    let (code, reason) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    let reason = reason.trim();
    let code = if code.is_empty() { Ok(CloseCode::NORMAL_CLOSURE.into()) } else { code.parse::<u16>() };
    // RFC 6455 section 7.4: which codes an endpoint may send.
    let Some(code) = code.ok().map(CloseCode::from).filter(|code| code.is_sendable()) else {
        return Command::Wrong(
            "/close takes a code and a reason: 1000 to 1003, 1007 to 1014 or 3000 to 4999, as in /close 4000 done".into(),
        );
    };
    // RFC 6455 section 5.5: a control frame carries 125 bytes, two of which are the code.
    if reason.len() > LONGEST_REASON {
        let length = reason.len();
        return Command::Wrong(format!(
            "/close: the reason has {length} bytes: at most {LONGEST_REASON} are possible"
        ));
    }
    Command::Close { code, reason: reason.to_owned() }
}

const LONGEST_REASON: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        Typed::new(line.to_owned())
    }

    #[test]
    fn a_line_without_a_slash_and_a_line_with_two_are_messages() {
        for (line, text) in [("hi", "hi"), (" /ping", " /ping"), ("//ping", "/ping"), ("///", "//"), ("", "")]
        {
            assert_eq!(typed(line), Typed::Text(text.to_owned()), "{line}");
        }
    }

    #[test]
    fn commands_take_their_arguments_and_no_others() {
        assert_eq!(typed("/ping"), Typed::Command(Command::Ping));
        assert_eq!(typed("/help "), Typed::Command(Command::Help));
        let close = |code: u16, reason: &str| {
            Typed::Command(Command::Close { code: code.into(), reason: reason.to_owned() })
        };
        assert_eq!(typed("/close"), close(1000, ""));
        assert_eq!(typed("/close 4000"), close(4000, ""));
        assert_eq!(typed("/close  4000  good  bye "), close(4000, "good  bye"));
        for wrong in
            ["/pingx", "/ping 1", "/", "/close x", "/close 1005", "/close 70000", "/close -1", "/Ping"]
        {
            assert!(matches!(typed(wrong), Typed::Command(Command::Wrong(_))), "{wrong}: {:?}", typed(wrong));
        }
        let long = |length: usize| typed(&format!("/close 4000 {}", "x".repeat(length)));
        assert!(matches!(long(123), Typed::Command(Command::Close { .. })));
        assert!(matches!(long(124), Typed::Command(Command::Wrong(_))));
    }
}
