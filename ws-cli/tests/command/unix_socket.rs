//! Unix sockets.

use std::path::PathBuf;

use super::*;

fn path(name: &str) -> PathBuf {
    // Shorter than the target directory: the path of a socket has at most some 100 bytes.
    let path = std::env::temp_dir().join(format!("ws-cli-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// A server at this socket that answers with the path and host of the request.
fn serving_at(path: PathBuf) {
    let (ready, bound) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let handler = async |mut socket: ws_server::WebSocket, request: ws_server::Request| {
                let host = request.headers()["host"].to_str().unwrap().to_owned();
                let asked = format!("{host}{}", request.uri());
                drop(request);
                while socket.recv().await?.is_some() {
                    socket.send(asked.as_str()).await?;
                }
                Ok::<_, ws_server::Error>(())
            };
            let listener = tokio::net::UnixListener::bind(path).unwrap();
            let server = ws_server::Server::builder()
                .route("/{*path}", handler)
                .route("/", handler)
                .listener(listener);
            ready.send(()).unwrap();
            server.build().unwrap().serve().await;
        });
    });
    bound.recv().unwrap();
}

#[test]
fn a_unix_socket_is_reached_by_its_path() {
    let path = path("reached");
    serving_at(path.clone());
    let socket = path.to_str().unwrap();
    for (address, asked) in [
        (&[&*format!("unix:{socket}")][..], "localhost/"),
        (&["--unix", socket], "localhost/"),
        (&["--unix", socket, "ws://example.org:8080/chat?a=b"], "example.org:8080/chat?a=b"),
    ] {
        let output = run(&[address, &["--once", "-m", "hi"]].concat(), b"");
        assert_eq!(text(&output.stderr), "");
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(0), &*format!("{asked}\n")),
            "{address:?}"
        );
    }
    let output = run(&["--unix", socket, "--json"], b"");
    let open = &events(&output.stdout)[0];
    assert_eq!((&open["event"], &open["peer"]), (&"open".into(), &Value::Null));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn bench_goes_through_a_unix_socket_too() {
    let path = path("bench");
    serving_at(path.clone());
    // The server does not send back what it was sent: the complaint shows that it was reached.
    let output = run(&["bench", &format!("unix:{}", path.display()), "--duration", "0.1"], b"");
    assert!(text(&output.stderr).contains("the test needs an echo server"), "{}", text(&output.stderr));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_unix_socket_that_cannot_be_reached_is_named_with_what_to_do() {
    let missing = path("missing");
    let dead = path("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    for (path, advice) in [(&missing, "no such file: check the path"), (&dead, "nothing listens there")] {
        let output = run(&[&format!("unix:{}", path.display())], b"");
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(3), 1), "{said}");
        assert!(
            said.contains(&format!("{}: {advice}", path.display()))
                && said.contains("is the server running?"),
            "{said}"
        );
    }
    std::fs::remove_file(&dead).unwrap();
}
