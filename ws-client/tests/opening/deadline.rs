//! One absolute deadline over everything that opening takes; bytes that trickle in do not prolong it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::common::memory::{Act, Memory};
use super::common::*;
use tokio::io::AsyncWriteExt as _;
use ws_client::{
    Blame, ConnectError, Connecting, Connector, Options, Proxy, ProxyChoice, Request, Resolver, Resolving,
    Stage,
};

async fn stalls(url: String, during: Stage) {
    let started = Instant::now();
    let error = impatient(Duration::from_millis(1500)).connect(url).await.unwrap_err();
    let took = started.elapsed();
    match &error {
        ConnectError::Timeout { during: stopped, after, .. } => {
            assert_eq!((*stopped, *after), (during, Duration::from_millis(1500)));
        }
        other => panic!("{other:?}"),
    }
    assert!(took >= Duration::from_millis(1500) && took < Duration::from_secs(15), "{took:?}");
    assert!(error.to_string().contains("opening_timeout = 1.5s"), "{error}");
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, false));
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_deadline() {
    let (address, _serving) = answering(|_| Vec::new()).await;
    stalls(format!("ws://{address}"), Stage::Handshake).await;
}

#[tokio::test]
async fn a_byte_a_second_does_not_prolong_the_deadline() {
    let (address, _serving) = server(|mut stream| async move {
        read_head(&mut stream).await;
        for byte in b"HTTP/1.1 101 Switching Protocols\r\n" {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    stalls(format!("ws://{address}"), Stage::Handshake).await;
}

#[tokio::test]
async fn a_head_that_never_ends_but_keeps_coming_is_cut_at_the_deadline() {
    let (address, _serving) = server(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 X\r\nX: ").await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    stalls(format!("ws://{address}"), Stage::Handshake).await;
}

#[cfg(feature = "ring")]
#[tokio::test]
async fn a_stalled_tls_handshake_ends_at_the_same_deadline() {
    let (address, _serving) =
        server(|mut stream| async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await }).await;
    stalls(format!("wss://{address}"), Stage::Tls).await;
}

/// A resolver that never answers.
#[derive(Debug)]
struct Mute;

impl Resolver for Mute {
    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolving<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_lookup_without_an_answer_ends_at_the_deadline() {
    for (proxy, stage) in [(None, Stage::Resolve), (Some("http://proxy.example"), Stage::Proxy)] {
        let mut options = Options::default();
        options.resolver = Some(Arc::new(Mute));
        options.proxy =
            proxy.map_or(ProxyChoice::Direct, |url| ProxyChoice::Always(Proxy::new(url).unwrap()));
        let client = options.build().unwrap();
        let started = tokio::time::Instant::now();
        let error = soon(client.connect("ws://server.example")).await.unwrap_err();
        assert!(matches!(error, ConnectError::Timeout { during, .. } if during == stage), "{error:?}");
        assert!(started.elapsed() < Duration::from_millis(10_010), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_name_lookup_for_a_socks5_proxy_ends_at_the_deadline() {
    let (proxy, _serving) = server(|mut stream| async move {
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut [0; 3]).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    })
    .await;
    let mut options = Options::default();
    options.opening_timeout = Duration::from_secs(2);
    options.resolver = Some(Arc::new(Mute));
    options.proxy = ProxyChoice::Always(Proxy::new(&format!("socks5://{proxy}")).unwrap());
    let error = soon(options.build().unwrap().connect("ws://server.example")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Stage::Proxy, .. }), "{error:?}");
}

/// A connector whose stream never comes.
#[derive(Debug)]
struct NeverConnects;

impl Connector for NeverConnects {
    fn connect<'a>(&'a self, _request: &'a Request) -> Connecting<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_names_its_stage_and_its_setting() {
    let client = Options::default().connector(NeverConnects).build().unwrap();
    let error = soon(client.connect("ws://server.example")).await.unwrap_err();
    let expected =
        "server.example:80 was not open within opening_timeout = 10s: it timed out at this stage: connecting";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_after_a_redirect_names_the_host_it_led_to() {
    let redirect = "HTTP/1.1 302 X\r\nLocation: ws://other.example/\r\nContent-Length: 0\r\n\r\n";
    let acts = [Act::answer(Duration::ZERO, redirect), Act::answer(Duration::from_secs(60), "")];
    let client = Options::default().max_redirects(1).connector(Memory::new(acts)).build().unwrap();
    let error = soon(client.connect("ws://h")).await.unwrap_err();
    assert!(error.to_string().starts_with("other.example:80 was not open within opening_timeout"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn redirects_share_one_deadline() {
    let redirect = "HTTP/1.1 302 X\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
    let memory = Memory::new([Act::answer(Duration::from_secs(4), redirect)]);
    let mut options = Options::default();
    options.max_redirects = 20;
    options.connector = Some(memory.clone());
    let client = options.build().unwrap();
    let started = tokio::time::Instant::now();
    let error = client.connect("ws://h").await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Stage::Handshake, .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(10_010), "{:?}", started.elapsed());
    assert_eq!(memory.heads.lock().unwrap().len(), 2, "the third was under way");
}

#[tokio::test]
async fn the_deadline_applies_to_a_custom_stream() {
    let (near, _far) = tokio::io::duplex(1024);
    let error = impatient(Duration::from_millis(100)).handshake("ws://h", near).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Stage::Handshake, .. }), "{error:?}");
}

#[test]
fn a_deadline_of_zero_is_refused_and_an_unlimited_one_is_not() {
    let mut options = Options::default();
    options.opening_timeout = Duration::ZERO;
    let error = options.build().unwrap_err();
    assert_eq!((error.setting, error.value.as_str()), ("opening_timeout", "0ns"));
    assert!(error.to_string().contains("opening_timeout = 0ns is not possible: it must be longer than zero"));
}

#[tokio::test]
async fn a_deadline_beyond_the_clock_is_no_deadline() {
    let (address, _serving) = answering(switching).await;
    impatient(Duration::MAX).connect(format!("ws://{address}")).await.unwrap();
}
