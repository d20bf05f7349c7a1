//! The `Debug` output of what a program holds: it names the type and what was set, and shows no key.

use std::fmt::Debug;

use ws_server::{AcceptorBuilder, Endpoint, OriginPolicy, Server, WebSocket};

fn check(value: &impl Debug, begin: &str, facts: &[&str]) {
    let text = format!("{value:?}");
    assert!(text.starts_with(begin), "{text}");
    assert!(facts.iter().all(|fact| text.contains(fact)), "{facts:?}: {text}");
}

async fn handler(_: WebSocket) {}

#[tokio::test]
async fn a_server_shows_its_options_and_its_listeners() {
    let builder = Server::builder().route("/", handler);
    check(&builder, "ServerBuilder { options: ServerOptions {", &["drain_timeout"]);
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    check(&server, "Server { listeners: [", &["127.0.0.1"]);
}

#[test]
fn an_acceptor_shows_its_options() {
    let builder = AcceptorBuilder::default();
    check(&builder, "AcceptorBuilder { handshake: HandshakeOptions {", &["endpoint: EndpointOptions {"]);
    check(&builder.build().unwrap(), "Acceptor { handshake: HandshakeOptions {", &["timeout: 10s"]);
}

#[test]
fn an_endpoint_shows_its_options() {
    let endpoint = Endpoint::new(handler).subprotocols(["chat.v1"]);
    check(&endpoint, "Endpoint { options: EndpointOptions {", &["chat.v1"]);
}

#[test]
fn an_origin_policy_shows_which_it_is() {
    check(&OriginPolicy::SameHost, "SameHost", &[]);
    check(&OriginPolicy::List(vec!["https://a.example".into()]), "List(", &["https://a.example"]);
    check(&OriginPolicy::Any, "Any", &[]);
    let policy = OriginPolicy::Predicate(std::sync::Arc::new(|_, _| true));
    check(&policy, "Predicate(..)", &[]);
}

#[cfg(feature = "ring")]
#[test]
fn tls_shows_where_its_identity_is_from_and_no_key() {
    use ws_server::{ClientCertificates, Tls};

    let files = Tls::from_pem_files("/etc/chain.pem", "/etc/key.pem");
    check(&files, "Tls { identity: \"files /etc/chain.pem\"", &["client_certificates: None"]);
    let pem = Tls::from_pem("chain", "s3cret").client_certificates("roots", ClientCertificates::Required);
    check(&pem, "Tls { identity: \"PEM\"", &["client_certificates: Some(Required)"]);
    assert!(!format!("{pem:?}").contains("s3cret"));
}
