//! `ws topics`.

use std::io::{BufRead as _, BufReader};

use ws_server::{Endpoint, Server};
use ws_topics::{EndpointOptions, History, SUBPROTOCOL, TopicsEndpoint, TopicsOptions};

#[cfg(unix)]
use super::terminal::{Terminal, state};
use super::{events, text};
use crate::command::*;

/// A server with topics, until the test ends: its address, and the topics.
fn serving_topics() -> (String, TopicsEndpoint) {
    let options = TopicsOptions::default().history("kept/#", History::default());
    let topics = TopicsEndpoint::new(options, EndpointOptions::default().publish(true)).unwrap();
    let (address, bound) = std::sync::mpsc::channel();
    let served = topics.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let endpoint = Endpoint::new(move |socket, _| {
                let topics = served.clone();
                async move { topics.run(socket, "").await }
            });
            let server = Server::builder().endpoint("/", endpoint.subprotocols([SUBPROTOCOL]));
            let server = server.bind("127.0.0.1:0").await.unwrap();
            address.send(server.local_addr().unwrap()).unwrap();
            server.serve().await;
        });
    });
    (format!("ws://{}/", bound.recv().unwrap()), topics)
}

#[test]
fn lines_are_published_and_the_latest_of_them_are_read() {
    let (url, topics) = serving_topics();
    let output = run(&["topics", &url, "publish", "kept/a"], b"one\ntwo\nthree\n");
    assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)));
    assert_eq!(topics.topics().head("kept/a").unwrap().offset, 3);
    let output = run(&["topics", &url, "publish", "kept/a", "four"], b"");
    assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)));
    let output = run(&["topics", &url, "subscribe", "kept/a", "--last", "2", "--count", "2"], b"");
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("three\nfour\n", ""));
    let subscribe = ["topics", &url, "subscribe", "kept/a", "--last", "3", "--count", "1", "--json"];
    let seen = events(&run(&subscribe, b"").stdout);
    assert_eq!((&seen[0]["topic"], &seen[0]["text"]), (&"kept/a".into(), &"two".into()));
    let since = seen[0]["position"].as_str().unwrap();
    let output = run(&["topics", &url, "subscribe", "kept/a", "--since", since, "--count", "2"], b"");
    assert_eq!(text(&output.stdout), "three\nfour\n");
}

#[test]
fn a_filter_shows_the_topic_of_each_message() {
    let (url, topics) = serving_topics();
    let mut child = ws(&["topics", &url, "subscribe", "+/a", "--count", "2"]).spawn().unwrap();
    // It is there when it is subscribed.
    let mut published = 0;
    while published < 2 {
        published += topics.topics().publish("kept/a", published.to_string()).unwrap().subscribers;
        std::thread::yield_now();
    }
    let lines: Vec<_> = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["kept/a 0", "kept/a 1"]);
    assert_eq!(finish(child).status.code(), Some(0));
}

#[test]
#[cfg(unix)]
fn neither_a_message_nor_its_topic_can_control_the_terminal_in_which_it_is_shown() {
    let (url, topics) = serving_topics();
    topics.topics().publish("kept/a", "\x1b]0;title\x07 \u{9b}2J\u{202e}").unwrap();
    for (more, shown) in
        [(&[][..], "␛]0;title␇ \u{fffd}2J\u{fffd}"), (&["--json"], r"\u001b]0;title\u0007 \u009b2J\u202e")]
    {
        let subscribe = ["topics", &url, "subscribe", "kept/a", "--last", "1", "--count", "1"];
        let mut terminal = Terminal::new(&[&subscribe, more].concat(), &state("topics"));
        terminal.shows(shown);
        assert_eq!(wait(&mut terminal.child).code(), Some(0));
    }
    let subscribe = ["topics", &url, "subscribe", "+/b\x1b[2J", "--count", "1"];
    let mut terminal = Terminal::new(&subscribe, &state("topics"));
    // It is there when it is subscribed.
    while topics.topics().publish("kept/b\x1b[2J", "x").unwrap().subscribers == 0 {
        std::thread::yield_now();
    }
    terminal.shows("kept/b␛[2J x");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}

#[test]
fn what_goes_wrong_is_one_line_with_its_status() {
    let (url, _topics) = serving_topics();
    let echo = Serving::new(&[]);
    for (arguments, status, expected) in [
        (vec!["topics", &url, "subscribe", "a+"], 4, "(name)"),
        (vec!["topics", &url, "subscribe", "kept/#", "--last", "3"], 4, "(filter)"),
        (vec!["topics", &url, "subscribe", "kept/a", "--since", "now"], 2, "EPOCH:OFFSET"),
        (vec!["topics", &echo.url, "subscribe", "a"], 4, "does not speak the subprotocol topics.v1"),
        (vec!["topics", "ws://127.0.0.1:1/", "publish", "a", "b"], 3, "127.0.0.1:1"),
    ] {
        let output = run(&arguments, b"");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    }
}
