//! The sample `repl`: access to the interpreter, and the limits of an evaluation.

use serde_json::{Value, json};
use ws_client::{Request, WebSocket};

use crate::process::{Sample, event, open, refused, soon, status};

/// Starts the sample and uses the token; returns the key and the first connection.
async fn begin() -> (Sample, String, WebSocket) {
    let sample = Sample::start("repl", &[]);
    let (_, token) = sample.url.split_once('#').unwrap();
    let mut socket = sample.open(&format!("/repl?key={token}")).await;
    let key = event(&mut socket).await["key"].as_str().unwrap().to_owned();
    (sample, key, socket)
}

async fn evaluate(socket: &mut WebSocket, source: &str) -> Value {
    soon(socket.send(source)).await.unwrap();
    event(socket).await
}

/// Evaluates source and returns the answer.
async fn answer(socket: &mut WebSocket, source: &str) -> String {
    let reply = evaluate(socket, source).await;
    reply["answer"].as_str().unwrap_or_else(|| panic!("{source}: {reply}")).to_owned()
}

async fn error(socket: &mut WebSocket, source: &str) -> String {
    let reply = evaluate(socket, source).await;
    reply["error"].as_str().unwrap_or_else(|| panic!("{source}: {reply}")).to_owned()
}

#[tokio::test]
async fn the_token_works_once_and_the_key_after_it() {
    let (sample, key, _first) = begin().await;
    let (_, token) = sample.url.split_once('#').unwrap();
    assert_eq!((token.len(), key.len()), (32, 32));
    assert_ne!(token, key);
    for shown in ["", "?key=", &format!("?key={token}"), &format!("?key={}", &key[1..]), "?token=x", "?key=é"]
    {
        let target = format!("/repl{shown}");
        assert_eq!(status(sample.request(&target)).await, Some(403), "{target}");
    }
    let mut second = sample.open(&format!("/repl?key={key}")).await;
    assert_eq!(answer(&mut second, "6 * 7").await, "42");
}

#[tokio::test]
async fn a_wrong_token_does_not_use_up_the_right_one() {
    let sample = Sample::start("repl", &[]);
    let (_, token) = sample.url.split_once('#').unwrap();
    assert_eq!(status(sample.request(&format!("/repl?key={}", token.to_uppercase() + "x"))).await, Some(403));
    open(sample.request(&format!("/repl?key={token}"))).await.unwrap();
}

#[tokio::test]
async fn only_the_page_of_the_repl_may_connect() {
    let (sample, key, _first) = begin().await;
    let url = format!("ws://{}/repl?key={key}", sample.host());
    let port = sample.host().rsplit(':').next().unwrap();
    let others = ["http://evil.example", "null", "http://127.0.0.1:1", &format!("https://{}", sample.host())];
    for origin in others {
        let request = Request::new(&url).unwrap().header("Origin", origin).unwrap();
        assert_eq!(status(request).await, Some(403), "{origin}");
    }
    // DNS rebinding: host and origin agree, but the origin is not that of the page.
    let rebound =
        Request::new(&url).unwrap().header("Origin", format!("http://evil.example:{port}")).unwrap();
    assert_eq!(status(rebound).await, Some(403));
}

#[test]
fn the_repl_listens_on_loopback_only() {
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let (status, said) = refused("repl", &["--listen", address]);
        assert_eq!((status, said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("loopback"), "{said}");
    }
}

#[tokio::test]
async fn answers_output_and_errors_come_back() {
    let (_sample, _, mut socket) = begin().await;
    let reply = evaluate(&mut socket, "print(\"one\"); print(`two`); [1, \"x\", #{a: 2.5}]").await;
    assert_eq!(reply["printed"], "one\ntwo\n");
    assert_eq!(reply["answer"], "[1, \"x\", #{\"a\": 2.5}]");
    assert_eq!(reply["error"], json!(null));
    let reply = evaluate(&mut socket, "print(1); throw \"oops\"; print(2)").await;
    assert_eq!((&reply["printed"], &reply["answer"]), (&json!("1\n"), &json!(null)));
    assert_eq!(reply["error"], "Runtime error: oops (line 1, position 11)");
    assert!(error(&mut socket, "let = 3").await.contains("line 1, position 5"));
    assert_eq!(evaluate(&mut socket, "let quiet = 1;").await["answer"], json!(null));
}

#[tokio::test]
async fn each_connection_keeps_separate_variables_and_functions() {
    let (sample, key, mut first) = begin().await;
    let mut second = sample.open(&format!("/repl?key={key}")).await;
    evaluate(&mut first, "let x = 20; fn add(n) { n + 22 }").await;
    assert_eq!(answer(&mut first, "add(x)").await, "42");
    evaluate(&mut first, "fn add(n) { n + 1 } let x = 1;").await;
    assert_eq!(answer(&mut first, "add(x)").await, "2");
    assert!(error(&mut second, "x").await.contains("Variable not found"));
    assert!(error(&mut second, "add(1)").await.contains("Function not found"));
}

#[tokio::test]
async fn unfinished_source_is_distinguished_from_wrong_source() {
    let (_sample, _, mut socket) = begin().await;
    for (source, incomplete) in [
        ("fn f(n) {", true),
        ("let x =\n", true),
        ("[1,\n 2", true),
        ("if x", true),
        ("let = 3", false),
        ("foo(1 2)", false),
        ("}", false),
    ] {
        assert_eq!(evaluate(&mut socket, source).await["incomplete"], incomplete, "{source:?}");
    }
}

#[tokio::test]
async fn an_endless_loop_is_stopped_and_delays_no_other_connection() {
    let (sample, key, mut looping) = begin().await;
    let mut other = sample.open(&format!("/repl?key={key}")).await;
    looping.send("loop {}").await.unwrap();
    // With one processor there is one place, so that this waits for the end of the loop.
    let several = std::thread::available_parallelism().unwrap().get() > 1;
    tokio::select! {
        biased;
        answer = answer(&mut other, "1 + 1") => assert_eq!(answer, "2"),
        reply = looping.recv(), if several => panic!("the other was to be answered first: {reply:?}"),
    }
    assert!(sample.get("/healthz").await.ends_with("ok\n"));
    let reply = event(&mut looping).await;
    assert!(reply["error"].as_str().unwrap().starts_with("stopped: it took more than "), "{reply}");
    assert_eq!(answer(&mut looping, "1 + 1").await, "2");
}

#[tokio::test]
async fn sleeping_evaluating_text_and_importing_are_not_possible() {
    let (_sample, _, mut socket) = begin().await;
    for (source, wanted) in [
        ("sleep(1000)", "not allowed"),
        ("sleep(1000.5)", "not allowed"),
        ("eval(\"1\")", "disabled"),
        ("import \"x\" as y; 1", "import"),
        ("let f = |x| x; f.curry(1)", "not allowed"),
        ("open(\"/etc/passwd\")", "Function not found"),
    ] {
        let said = error(&mut socket, source).await;
        assert!(said.contains(wanted), "{source}: {said}");
    }
}

#[tokio::test]
async fn deep_recursion_and_nesting_end_before_the_stack_does() {
    let (_sample, _, mut socket) = begin().await;
    for source in [
        "fn f() { f() } f()".to_owned(),
        "fn g(n) { [[[[[[[[g(n + 1)]]]]]]]] } g(0)".to_owned(),
        "fn h(n) { if true { if true { if true { if true { h(n + 1) } } } } } h(0)".to_owned(),
        "fn a(n) { b(n) + 1 } fn b(n) { a(n) + 1 } a(0)".to_owned(),
    ] {
        let said = error(&mut socket, &source).await;
        assert_eq!(said, "stopped: more than 32 calls inside one another", "{source}");
    }
    let nested = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(error(&mut socket, &nested).await.contains("complexity"));
    // Nested as deeply as the limit on elements allows, then printed, copied and dropped.
    let deep = "let a = []; for i in 0..4000 { a = [a]; } let b = a; print(a); a.len()";
    let reply = evaluate(&mut socket, deep).await;
    assert!(reply["answer"] == "1" || reply["error"].as_str().unwrap().starts_with("stopped"), "{reply}");
    assert_eq!(answer(&mut socket, "1 + 1").await, "2");
}

#[tokio::test]
async fn memory_bombs_are_stopped_and_what_is_kept_is_bounded() {
    let (sample, _, mut socket) = begin().await;
    for (source, wanted) in [
        ("let s = \"a\"; loop { s += s; }", "string too large"),
        ("let a = [1]; loop { a += a; }", "array/BLOB too large"),
        ("let a = [1]; loop { a.push(a); }", "array/BLOB too large"),
        ("let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }", "map too large"),
        ("blob(1000000000)", "array/BLOB too large"),
        ("[].pad(1000000000, 0)", "too large"),
        ("\"\".pad(1000000000, \"x\")", "too large"),
        // Keys are not counted as elements.
        (
            "let s = \"\"; s.pad(16000, 'y'); let m = #{}; for i in 0..500 { m[s + i] = i; }",
            "variables took more",
        ),
        (
            "fn f(s) { let m = #{}; for i in 0..500 { m[s + i] = i; } f(s) } let s = \"\"; s.pad(16000, 'y'); f(s)",
            "stopped: ",
        ),
        ("loop { print(\"a line of some length, again and again\"); }", "stopped: "),
    ] {
        let reply = evaluate(&mut socket, source).await;
        let said = reply["error"].as_str().unwrap_or_else(|| panic!("{source}: {reply}"));
        // On a busy computer the time limit may be reached first, or what exists by then may be too large to keep.
        let late = said.starts_with("stopped: ") || said.contains("variables took more");
        assert!(said.contains(wanted) || late, "{source}: {said}");
        assert!(reply["printed"].as_str().unwrap().len() < 70_000);
    }
    let variables: String = (0..70).map(|i| format!("let v{i} = {i}; ")).collect();
    assert!(error(&mut socket, &variables).await.contains("variables"));
    let functions: String = (0..70).map(|i| format!("fn f{i}() {{ {i} }} ")).collect();
    assert!(error(&mut socket, &functions).await.contains("functions"));
    assert_eq!(answer(&mut socket, "1 + 1").await, "2");
    #[cfg(target_os = "linux")]
    assert!(sample.peak_memory() < 300, "{} MiB", sample.peak_memory());
    drop(sample);
}
