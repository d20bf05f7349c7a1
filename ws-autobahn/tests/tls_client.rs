//! Tests ws-client with the native suite over TLS, as any client can be tested.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use ws_client::{Client, HttpVersion, Options, ProxyChoice, Tls};

/// A running suite, which ends with the test.
struct Suite(Child);

impl Drop for Suite {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the suite with these cases; returns it, its port and its folder.
fn suite(name: &str, more: &[&str]) -> (Suite, u16, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let suite = Command::new(env!("CARGO_BIN_EXE_ws-autobahn"))
        .args(["client", "--tls", "--listen", &format!("127.0.0.1:{port}"), "--only", "1.*"])
        .arg("--out")
        .arg(&folder)
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    (Suite(suite), port, folder)
}

/// Waits for the authority of the suite.
async fn authority(folder: &Path) -> Tls {
    loop {
        match Tls::from_root_pem(&fs::read(folder.join("authority.pem")).unwrap_or_default()) {
            Ok(tls) => return tls,
            // Not written yet.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

fn client(tls: Tls, version: HttpVersion) -> Client {
    let mut options = Options::default();
    options.tls = tls;
    options.http_version = version;
    options.proxy = ProxyChoice::Direct;
    options.build().unwrap()
}

/// Echoes until the connection ends.
async fn echo(client: &Client, url: &str) -> Result<(), ws_client::ConnectError> {
    let (mut socket, _) = client.connect(url).await?;
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn every_case_passes(name: &str, version: HttpVersion, more: &[&str]) {
    let (mut suite, port, folder) = suite(name, more);
    let played = timeout(Duration::from_secs(120), async {
        let client = client(authority(&folder).await, version);
        for host in ["127.0.0.1", "localhost"] {
            for case in 1..=16 {
                let url = format!("wss://{host}:{port}/runCase?case={case}&agent=ours");
                // The suite may not listen yet.
                while echo(&client, &url).await.is_err() {
                    sleep(Duration::from_millis(20)).await;
                }
            }
        }
        echo(&client, &format!("wss://localhost:{port}/updateReports?agent=ours")).await
    });
    played.await.expect("the suite did not run all cases in 120 s").unwrap();
    assert!(suite.0.wait().unwrap().success());
    let index = fs::read_to_string(folder.join("native/index.json")).unwrap();
    assert_eq!(index.matches(r#""behavior": "OK""#).count(), 16, "{index}");
}

#[tokio::test]
async fn a_client_over_tls_that_trusts_the_authority_of_the_run_passes() {
    every_case_passes("tls_client_http1", HttpVersion::Http1, &[]).await;
}

#[tokio::test]
async fn a_client_over_tls_that_chooses_h2_by_alpn_passes() {
    every_case_passes("tls_client_http2", HttpVersion::Http2, &["--http2"]).await;
}

#[tokio::test]
async fn a_client_over_tls_that_does_not_trust_the_authority_or_speaks_another_version_has_no_connection() {
    let (_suite, port, folder) = suite("tls_client_stranger", &["--http2"]);
    let url = format!("wss://localhost:{port}/runCase?case=1&agent=ours");
    let trusted = authority(&folder).await;
    let clients = [client(Tls::webpki(), HttpVersion::Http2), client(trusted, HttpVersion::Http1)];
    for client in clients {
        let said = loop {
            match client.connect(&url[..]).await.map(|_| ()).unwrap_err() {
                // The suite may not listen yet.
                ws_client::ConnectError::Dial(_) => sleep(Duration::from_millis(20)).await,
                error => break error.to_string(),
            }
        };
        assert!(said.contains("certificate") || said.contains("ALPN"), "{said}");
    }
}
