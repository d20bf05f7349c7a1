//! Two crypto providers in one build: each is used where it is given, and none is the process's.
#![cfg(all(feature = "ring", feature = "aws-lc-rs"))]

mod common;

use std::sync::Arc;

use common::tls::*;
use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use ws_client::rustls;
use ws_client::{Message, Options, Tls};

#[tokio::test]
async fn ring_and_aws_lc_work_in_one_build() {
    let own = certificate(&["localhost"]);
    for serves in [ring::default_provider, aws_lc_rs::default_provider] {
        for connects in [None, Some(ring::default_provider()), Some(aws_lc_rs::default_provider())] {
            let config = server_config_of(Arc::new(serves()), &own, None);
            let (address, _serving) = tls_server(config, b"\x81\x02hi").await;
            let mut options = Options::default();
            options.tls = Tls::from_root_pem(own.pem.as_bytes()).unwrap();
            if let Some(provider) = connects {
                options.tls = options.tls.provider(Arc::new(provider));
            }
            let client = options.build().unwrap();
            let (mut ws, _) = client.connect(format!("wss://localhost:{}", address.port())).await.unwrap();
            assert_eq!(ws.recv().await.unwrap(), Some(Message::text("hi")));
        }
    }
    assert!(CryptoProvider::get_default().is_none(), "nothing was installed for the process");
}

#[test]
fn the_provider_that_is_passed_is_the_one_used() {
    // One that can do nothing: if it is asked, no client can be built.
    let useless = CryptoProvider { cipher_suites: Vec::new(), ..aws_lc_rs::default_provider() };
    let mut options = Options::default();
    options.tls = Tls::webpki().provider(Arc::new(useless));
    assert!(options.build().is_err());
    assert!(Options::default().build().is_ok());
}
