//! What the samples with a page have in common.

use crate::process::{Sample, refused};

/// The page of a sample: the common beginning and the rest.
macro_rules! page {
    ($rest:literal) => {
        concat!(include_str!("../../../ws-server/examples/page.html"), include_str!($rest))
    };
}

const PAGES: [(&str, &str); 4] = [
    ("echo", page!("../../../ws-server/examples/echo.html")),
    ("repl", page!("../../examples/repl.html")),
    ("chat", page!("../../examples/chat.html")),
    ("feed", page!("../../examples/feed.html")),
];

#[tokio::test]
async fn each_sample_prints_its_address_and_serves_its_page_and_a_health_check() {
    for (name, page) in PAGES {
        let sample = Sample::start(name, &[]);
        let answer = sample.get("/").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{name}: {head}");
        assert!(head.contains("text/html; charset=utf-8"), "{name}: {head}");
        assert!(body == page, "{name} serves another page");
        assert!(sample.get("/healthz").await.ends_with("\r\n\r\nok\n"), "{name}");
        assert!(sample.get("/nothing").await.starts_with("HTTP/1.1 404 "), "{name}");
    }
}

#[tokio::test]
async fn each_sample_on_loopback_refuses_a_name_that_was_rebound_to_it() {
    for (name, _) in PAGES {
        let sample = Sample::start(name, &[]);
        // RFC 9112 section 3.2.2: the authority of an absolute target takes the place of Host.
        let answer = sample.get("http://evil.example/").await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{name}: {answer}");
        assert!(sample.get("http://localhost/").await.starts_with("HTTP/1.1 200 "), "{name}");
    }
}

#[test]
fn a_page_loads_nothing_from_elsewhere() {
    for (name, page) in PAGES {
        assert!(page.contains(r#"content="default-src 'none';"#), "{name} has no policy");
        for outside in ["src=", "@import", "url(", "<link rel=\"stylesheet\"", "//cdn", "https://"] {
            let found = page.lines().find(|line| line.contains(outside) && !line.contains("come over https"));
            assert!(found.is_none(), "{name} has {outside}: {found:?}");
        }
    }
}

#[test]
fn an_invalid_command_line_is_reported_in_one_line() {
    for (name, _) in PAGES {
        let (status, said) = refused(name, &["--listen", "nowhere"]);
        assert_eq!((status, said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("write it as address:port"), "{said}");
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (name, _) in PAGES {
        let (status, said) = refused(name, &["--listen", &address]);
        assert_eq!((status, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(&address), "{said}");
    }
    for (name, arguments) in [
        ("axum", &["--listen", &address][..]),
        ("hyper", &["--listen", &address]),
        ("tunnel", &["exit", &address, "127.0.0.1:1"]),
        ("tunnel", &["entry", &address, "ws://127.0.0.1:1/"]),
    ] {
        let (status, said) = refused(name, arguments);
        assert_eq!((status, said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.starts_with(&format!("{name}: cannot listen on {address}: ")), "{said}");
    }
}
