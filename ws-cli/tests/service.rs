//! `ws serve` as a service: sockets from systemd's `LISTEN_FDS`, messages to its `NOTIFY_SOCKET`, and a restart by SIGUSR2.
//! The test stands in for systemd.
#![cfg(unix)]

#[path = "common/command.rs"]
mod command;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use command::*;
use command_fds::{CommandFdExt as _, FdMapping};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use ws_client::{Client, CloseCode, Options, ProxyChoice};

/// What systemd is to a service: it has the socket to which the service sends its state.
struct Manager {
    folder: PathBuf,
    socket: UnixDatagram,
}

impl Manager {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ws-service-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { folder, socket }
    }

    /// The next message, as its lines.
    fn notified(&self) -> Vec<String> {
        let mut message = [0; 1024];
        let length = self.socket.recv(&mut message).expect("the service sends its state");
        std::str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned).collect()
    }

    /// The process that reports that it is ready.
    fn ready(&self) -> Pid {
        let message = self.notified();
        assert_eq!(message[0], "READY=1", "{message:?}");
        let pid = message[1].strip_prefix("MAINPID=").unwrap();
        Pid::from_raw(pid.parse().unwrap()).unwrap()
    }

    /// `ws serve`, with these sockets from descriptor 3 on.
    fn start(&self, options: &[&str], sockets: Vec<OwnedFd>) -> Service {
        // LISTEN_PID has to be the number of the process that is started.
        let script = r#"LISTEN_PID=$$ exec "$0" "$@""#;
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_ws"), "serve", "127.0.0.1:0"]).args(options);
        command.env("NOTIFY_SOCKET", self.folder.join("notify")).env("LISTEN_FDS", sockets.len().to_string());
        let mapped = |(parent_fd, child_fd)| FdMapping { parent_fd, child_fd };
        command.fd_mappings(sockets.into_iter().zip(3..).map(mapped).collect()).unwrap();
        Service::spawn(command)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // What is left in the folder for temporary files is the system's.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A running `ws serve`, and those that take its place; ended with the test.
struct Service {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// The process that serves, if it is not `child`.
    successor: Option<Pid>,
}

impl Service {
    fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, successor: None }
    }

    /// The next line of its standard output, which a successor shares.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.successor.unwrap_or_else(|| Pid::from_child(&self.child)), signal).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for pid in [Some(Pid::from_child(&self.child)), self.successor].into_iter().flatten() {
            // It may have ended already.
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn listening() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Waits until a process that is not a child of the test has ended.
fn ended(pid: Pid) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while is_running(pid) {
        assert!(Instant::now() < deadline, "process {pid:?} does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process that has ended and that nobody has waited for can still be sent signals.
fn is_running(pid: Pid) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    test_kill_process(pid).is_ok() && !state.is_ok_and(|state| state.contains(") Z "))
}

fn echoes(url: &str) {
    let output = run(&[url, "--once", "-m", "hello"], b"");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"hello\n"[..]), "{output:?}");
}

#[test]
fn a_passed_socket_is_served_on_and_the_manager_is_told_of_start_and_end() {
    let manager = Manager::new("socket");
    let (listener, url) = listening();
    let mut service = manager.start(&[], vec![listener.into()]);
    assert_eq!(manager.ready(), Pid::from_child(&service.child));
    assert_eq!(service.line(), format!("listening on {url}"));
    echoes(&url);
    service.signal(Signal::TERM);
    assert_eq!(manager.notified(), ["STOPPING=1"]);
    assert_eq!(wait(&mut service.child).code(), Some(0));
}

#[test]
fn a_passed_unix_socket_is_served_on_beside_a_passed_tcp_socket() {
    let manager = Manager::new("unix");
    let path = manager.folder.join("ws.sock");
    let (tcp, url) = listening();
    let _service = manager.start(&[], vec![UnixListener::bind(&path).unwrap().into(), tcp.into()]);
    manager.ready();
    echoes(&format!("unix:{}", path.display()));
    echoes(&url);
}

#[test]
fn a_passed_descriptor_that_does_not_listen_is_an_error_that_says_what_to_configure() {
    let manager = Manager::new("connection");
    let (stream, _other) = UnixStream::pair().unwrap();
    let mut service = manager.start(&[], vec![stream.into()]);
    assert_eq!(service.line(), "");
    let status = wait(&mut service.child);
    let stderr = std::io::read_to_string(service.child.stderr.take().unwrap()).unwrap();
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("descriptor 3 is not") && stderr.contains("Accept=no"), "{stderr}");
}

#[test]
fn sockets_that_are_passed_to_another_process_are_left_alone() {
    let (listener, _) = listening();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws"));
    command.args(["serve", "127.0.0.1:0"]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let port = listener.local_addr().unwrap().port();
    command.fd_mappings(vec![FdMapping { parent_fd: listener.into(), child_fd: 3 }]).unwrap();
    let mut service = Service::spawn(command);
    let line = service.line();
    assert!(line.starts_with("listening on ws://127.0.0.1:") && !line.ends_with(&port.to_string()), "{line}");
}

#[test]
fn the_watchdog_hears_from_the_service_twice_in_its_time_as_long_as_that_runs() {
    let manager = Manager::new("watchdog");
    let mut command = ws(&["serve", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", manager.folder.join("notify")).env("WATCHDOG_USEC", "200000");
    let service = Service::spawn(command);
    manager.ready();
    let begin = Instant::now();
    for _ in 0..10 {
        assert_eq!(manager.notified(), ["WATCHDOG=1"]);
    }
    // The first comes at once, the others at least 100 ms apart: it does not keep the process busy.
    assert!(begin.elapsed() >= Duration::from_millis(800), "{:?}", begin.elapsed());
    service.signal(Signal::STOP);
    manager.socket.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
    // One may be on its way.
    let silent = (0..2).any(|_| manager.socket.recv(&mut [0; 64]).is_err());
    assert!(silent, "a process that stands still sends nothing");
}

#[test]
fn a_restart_whose_new_process_does_not_start_leaves_the_old_one_serving() {
    let manager = Manager::new("failed");
    let (cert, key) = (manager.folder.join("cert.pem"), manager.folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (listener, _) = listening();
    let url = format!("wss://localhost:{}", listener.local_addr().unwrap().port());
    let files = [cert.to_str().unwrap(), key.to_str().unwrap()];
    let mut service = manager.start(&["--cert", files[0], "--key", files[1]], vec![listener.into()]);
    manager.ready();
    let trusted = manager.folder.join("trusted.pem");
    std::fs::copy(&cert, &trusted).unwrap();
    let echoes = || {
        let output = run(&[&url, "--once", "-m", "hello", "--cacert", trusted.to_str().unwrap()], b"");
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"hello\n"[..]), "{output:?}");
    };
    echoes();
    // The new process cannot read its certificate, and ends.
    std::fs::remove_file(&cert).unwrap();
    let mut stderr = BufReader::new(service.child.stderr.take().unwrap());
    service.signal(Signal::USR2);
    let mut error = String::new();
    stderr.read_line(&mut error).unwrap();
    assert!(error.contains("cert.pem"), "the new process says why it ends: {error}");
    echoes();
    // And a later one succeeds.
    std::fs::copy(&trusted, &cert).unwrap();
    service.signal(Signal::USR2);
    let successor = manager.ready();
    assert_ne!(successor, Pid::from_child(&service.child));
    service.successor = Some(successor);
    assert_eq!(wait(&mut service.child).code(), Some(0));
    echoes();
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_that_is_ended_during_a_restart_takes_the_new_process_with_it() {
    let manager = Manager::new("ended");
    let (cert, key) = (manager.folder.join("cert.pem"), manager.folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = [cert.to_str().unwrap(), key.to_str().unwrap()];
    let mut service = manager.start(&["--cert", files[0], "--key", files[1]], vec![listening().0.into()]);
    let pid = manager.ready();
    // The new process waits for somebody to write its certificate.
    std::fs::remove_file(&cert).unwrap();
    assert!(Command::new("mkfifo").arg(&cert).status().unwrap().success());
    service.signal(Signal::USR2);
    let children = format!("/proc/{pid}/task/{pid}/children");
    let deadline = Instant::now() + Duration::from_secs(60);
    let successor = loop {
        let children = std::fs::read_to_string(&children).unwrap();
        if let Some(child) = children.split_whitespace().next() {
            break Pid::from_raw(child.parse().unwrap()).unwrap();
        }
        assert!(Instant::now() < deadline, "no new process");
        std::thread::sleep(Duration::from_millis(10));
    };
    service.signal(Signal::TERM);
    assert_eq!(manager.notified(), ["STOPPING=1"]);
    assert_eq!(wait(&mut service.child).code(), Some(0));
    service.successor = Some(successor);
    ended(successor);
}

#[test]
fn a_request_that_is_half_sent_at_a_restart_is_answered_by_the_old_process_and_closed_with_1012() {
    let manager = Manager::new("half");
    let (listener, _) = listening();
    let address = listener.local_addr().unwrap();
    let mut service = manager.start(&[], vec![listener.into()]);
    manager.ready();
    let mut peer = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let (half, rest) = request.as_bytes().split_at(60);
    peer.write_all(half).unwrap();
    // A connection made later is served: the half one has been accepted.
    echoes(&format!("ws://{address}"));
    service.signal(Signal::USR2);
    service.successor = Some(manager.ready());
    peer.write_all(rest).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut peer = BufReader::new(peer);
    let mut status = String::new();
    peer.read_line(&mut status).unwrap();
    assert!(status.starts_with("HTTP/1.1 101 "), "{status:?}");
    let mut line = status;
    while line != "\r\n" {
        line.clear();
        assert_ne!(peer.read_line(&mut line).unwrap(), 0, "the head is whole");
    }
    // RFC 6455 section 5.5.1: a Close with a code; IANA: 1012 is a restart.
    let mut close = [0; 4];
    peer.read_exact(&mut close).unwrap();
    assert_eq!((close[0], &close[2..]), (0x88, &1012_u16.to_be_bytes()[..]));
    drop(peer);
    assert_eq!(wait(&mut service.child).code(), Some(0));
}

/// Two thousand clients, or as many as the process may have descriptors for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_restarts_under_load_refuse_no_connection_and_lose_no_answered_message() {
    // Each needs one here, and for a moment a second one; the server, which inherits the limit, keeps some for handshakes.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let clients = usize::try_from(files / 4).unwrap_or(usize::MAX).min(2000);
    let manager = Manager::new("restart");
    let (listener, url) = listening();
    let mut service = manager.start(&[], vec![listener.into()]);
    manager.ready();
    let load = Arc::new(Load::default());
    let client = Options::default().proxy(ProxyChoice::Direct).build().unwrap();
    let running: Vec<_> =
        (0..clients).map(|_| tokio::spawn(load.clone().run(client.clone(), url.clone()))).collect();
    for restart in 1..=3 {
        load.opened(clients * restart).await;
        let old = service.successor;
        service.signal(Signal::USR2);
        service.successor = Some(tokio::task::block_in_place(|| manager.ready()));
        tokio::task::block_in_place(|| match old {
            None => assert_eq!(wait(&mut service.child).code(), Some(0)),
            Some(old) => ended(old),
        });
    }
    load.opened(clients * 4).await;
    load.enough.store(true, Ordering::SeqCst);
    for client in running {
        client.await.unwrap();
    }
    let answered = load.answered.load(Ordering::SeqCst);
    println!("{clients} clients, 3 restarts: {answered} messages answered, none twice, none out of order");
    assert_eq!(load.refused.load(Ordering::SeqCst), 0, "refused connections");
    assert_eq!(load.restarts.load(Ordering::SeqCst), clients * 3, "connections that ended with 1012");
    service.signal(Signal::TERM);
}

#[derive(Default)]
struct Load {
    opened: AtomicUsize,
    answered: AtomicUsize,
    refused: AtomicUsize,
    restarts: AtomicUsize,
    enough: AtomicBool,
}

impl Load {
    /// One client: numbered messages, each sent until it has been answered, over as many connections as that takes.
    async fn run(self: Arc<Self>, client: Client, url: String) {
        let this = self.clone();
        let mut connections = client.reconnect(&url).unwrap().on_wait(move |retry| {
            if let Some(error) = retry.error {
                eprintln!("refused: {error}");
                this.refused.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut number = 0_u32;
        while !self.enough.load(Ordering::SeqCst) {
            let (mut socket, _) = connections.next().await.unwrap();
            self.opened.fetch_add(1, Ordering::SeqCst);
            while !self.enough.load(Ordering::SeqCst) {
                let sent = socket.send(number.to_string()).await.is_ok();
                match if sent { socket.recv().await } else { Ok(None) } {
                    Ok(Some(answer)) => {
                        assert_eq!(answer.as_text(), Some(&*number.to_string()), "answers come in order");
                        self.answered.fetch_add(1, Ordering::SeqCst);
                        number += 1;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        let info = socket.close_info();
                        assert!(
                            info.is_some_and(|info| info.is_clean()),
                            "a restart closes in order: {error}"
                        );
                        break;
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            let code = socket.close_info().map(|info| info.code());
            if code == Some(CloseCode::SERVICE_RESTART) {
                self.restarts.fetch_add(1, Ordering::SeqCst);
            } else {
                assert_eq!(code, None, "no other end than by a restart or by this test");
            }
        }
    }

    /// Waits until this many connections have been opened, all in all.
    async fn opened(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.opened.load(Ordering::SeqCst) < count {
            let now = (self.opened.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst));
            assert!(Instant::now() < deadline, "{count} connections are expected; opened, refused: {now:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
