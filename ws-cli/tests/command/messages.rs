//! What is sent and how it is written: files, JSON over several lines, addresses without a scheme.

use super::*;

/// A file with these contents.
fn file(name: &str, contents: &[u8]) -> String {
    let name = format!("{}-{name}", std::process::id());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_file_is_one_message_binary_unless_text_is_asked_for() {
    let server = Serving::new(&[]);
    let contents = "line 1\nline 2 ä\n";
    let path = file("whole", contents.as_bytes());
    for (options, kind, data) in
        [(&[][..], "binary", "bGluZSAxCmxpbmUgMiDDpAo="), (&["--text"], "text", contents)]
    {
        let output =
            run(&[&[&*server.url, "--json", "-m", "first", "--file", &path], options].concat(), b"last\n");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
        let events = events(&output.stdout);
        let messages: Vec<_> = events.iter().filter(|event| event["event"] == "message").collect();
        assert_eq!(
            (messages.len(), &messages[0]["data"], &messages[2]["data"]),
            (3, &"first".into(), &"last".into())
        );
        assert_eq!((&messages[1]["type"], &messages[1]["data"]), (&kind.into(), &data.into()));
    }
    let output = run(&[&server.url, "--once", "--binary", "-f", &path], b"");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), &*format!("{contents}\n")));
}

#[test]
fn a_file_that_is_not_utf8_is_not_sent_as_text() {
    let server = Serving::new(&[]);
    let path = file("not-text", b"ab\xff");
    let output = run(&[&server.url, "--text", "--file", &path], b"");
    assert_eq!(output.status.code(), Some(2));
    let said =
        format!("ws: --file {path}: it is not UTF-8 (at byte 2): leave out --text to send it as binary\n");
    assert_eq!(text(&output.stderr), said);
}

#[test]
fn pretty_indents_json_and_nothing_else() {
    let server = Serving::new(&[]);
    let output = run(&[&server.url, "--pretty"], b"{\"b\":[1.50],\"a\":{}}\nno json\n[\n\"\xff\n");
    let expected = "{\n  \"b\": [\n    1.50\n  ],\n  \"a\": {}\n}\nno json\n[\n22 ff\n";
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), expected));
}

#[test]
fn an_address_needs_no_scheme() {
    let server = Serving::new(&[]);
    let port = server.url.rsplit_once(':').unwrap().1;
    for address in
        [&format!("127.0.0.1:{port}"), &format!("localhost:{port}/chat"), &format!(":{port}"), port]
    {
        let output = run(&[address, "--once", "-m", "hi"], b"");
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "hi\n"), "{address}");
    }
}

#[test]
fn piped_lines_that_begin_with_a_slash_are_messages() {
    let server = Serving::new(&[]);
    let input = "/ping\n//twice\n/close 4000 bye\n/help\n";
    let output = run(&[&server.url], input.as_bytes());
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(0), input, ""));
}
