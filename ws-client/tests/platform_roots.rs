//! The operating system's certificates. Where they are is taken from the environment, so this runs itself again.
#![cfg(all(feature = "native-roots", feature = "ring", target_os = "linux"))]

mod common;

use std::process::{Command, Output};

use common::tls::*;
use ws_client::{Message, Options, Tls};

const ADDRESS: &str = "WS_CLIENT_TEST_ADDRESS";

#[tokio::test]
async fn what_the_platform_trusts_is_trusted_and_nothing_else() {
    if let Ok(address) = std::env::var(ADDRESS) {
        return connect(&address).await;
    }
    let folder = std::env::temp_dir().join(format!("ws-client-roots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (known, unknown) = (certificate(&["localhost"]), certificate(&["localhost"]));
    for (served, ends_well) in [(&known, true), (&unknown, false)] {
        let roots = folder.join("roots.pem");
        std::fs::write(&roots, &known.pem).unwrap();
        let (address, _serving) = tls_server(server_config(served, None), b"\x81\x02hi").await;
        let output: Output = tokio::task::spawn_blocking(move || {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "what_the_platform_trusts_is_trusted_and_nothing_else"])
                .env(ADDRESS, format!("wss://localhost:{}", address.port()))
                .env("SSL_CERT_FILE", roots)
                .env_remove("SSL_CERT_DIR")
                .output()
                .unwrap()
        })
        .await
        .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), ends_well, "{text}");
        assert_eq!(text.contains("the certificate of localhost"), !ends_well, "{text}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

async fn connect(address: &str) {
    let mut options = Options::default();
    options.tls = Tls::platform();
    let (mut ws, _) = match options.build().unwrap().connect(address).await {
        Ok(opened) => opened,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
}
