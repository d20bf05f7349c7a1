//! `Sec-WebSocket-Extensions`: a reference grammar agrees, what is written reads the same again, and what a server makes
//! of an offer of permessage-deflate is what RFC 7692 section 7.1 allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_core::deflate::{self, Agreed, EXTENSION_NAME, WindowBits};
use ws_core::handshake::{Extension, ExtensionParameter};
use ws_fuzz::Input;
use ws_fuzz::head::{self, Parameter};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (server, client) = (config(&mut input), config(&mut input));
    let lines: Vec<&[u8]> = input.rest().split(|&byte| byte == b'\n').collect();
    let parsed = Extension::parse_list(lines.iter().copied());
    let expected = head::extensions(&lines);
    assert_eq!(parsed.as_deref().ok().map(plain), expected);
    let Ok(extensions) = parsed else { return };

    let written = extensions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let again = Extension::parse_list([written.as_bytes()]).unwrap();
    assert_eq!(again, extensions, "{written}");
    assert!(written.is_ascii() && !written.contains(['"', '\\']), "values are tokens: no quotes are needed");

    check_choice(&extensions, &server);
    check_agreement(&client, &server);
    // Any answer is read without harm, and never loosens what the client offered.
    for extension in &extensions {
        if let Ok(agreed) = Agreed::from_response(parameters(extension), &client) {
            assert!(extension.parameters.iter().all(|parameter| is_legal(parameter, true)));
            assert!(agreed.server_max_window_bits <= client.server_max_window_bits);
            assert!(agreed.client_max_window_bits <= client.client_max_window_bits);
        }
    }
});

fn config(input: &mut Input<'_>) -> deflate::Config {
    let choice = input.byte();
    let mut config = deflate::Config::server();
    config.server_no_context_takeover = choice & 1 != 0;
    config.client_no_context_takeover = choice & 2 != 0;
    config.server_max_window_bits = WindowBits::new(15 - (choice >> 2) % 8).unwrap();
    config.client_max_window_bits = WindowBits::new(15 - (choice >> 5)).unwrap();
    config
}

fn parameters(extension: &Extension) -> impl Iterator<Item = (&str, Option<&str>)> {
    extension.parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.value.as_deref()))
}

/// RFC 7692 section 7.1: names and values, in an offer or in an answer.
fn is_legal(parameter: &ExtensionParameter, answer: bool) -> bool {
    let bits = |value: &str| (8..=15).any(|bits: u8| bits.to_string() == value);
    match (parameter.name.as_str(), parameter.value.as_deref()) {
        ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
        ("server_max_window_bits" | "client_max_window_bits", Some(value)) => bits(value),
        ("client_max_window_bits", None) => !answer,
        _ => false,
    }
}

/// The server takes the first offer that is legal, and answers within it.
fn check_choice(extensions: &[Extension], server: &deflate::Config) {
    let offers: Vec<_> = extensions.iter().filter(|extension| extension.name == EXTENSION_NAME).collect();
    let repeats = |extension: &Extension| {
        let names: Vec<_> = extension.parameters.iter().map(|parameter| &parameter.name).collect();
        (1..names.len()).any(|n| names[..n].contains(&names[n]))
    };
    let legal =
        |offer: &&Extension| offer.parameters.iter().all(|one| is_legal(one, false)) && !repeats(offer);
    let chosen = offers.iter().find(|offer| legal(offer));
    let answered = deflate::negotiate(offers.iter().map(|offer| parameters(offer)), server);
    assert_eq!(answered.is_some(), chosen.is_some());
    let (Some((agreed, answer)), Some(offer)) = (answered, chosen) else { return };
    let [answer] = &Extension::parse_list([answer.as_bytes()]).unwrap()[..] else { panic!("{answer}") };
    assert!(
        answer.name == EXTENSION_NAME
            && answer.parameters.iter().all(|one| is_legal(one, true))
            && !repeats(answer)
    );
    let find = |list: &Extension, name: &str| list.parameters.iter().find(|one| one.name == name).cloned();
    let offered_bits =
        |name| find(offer, name).and_then(|one| one.value).map_or(15, |value| value.parse().unwrap());
    // Section 7.1.2.2: not unless it was offered; nor what the server asks of itself.
    for name in ["client_max_window_bits", "server_max_window_bits", "server_no_context_takeover"] {
        assert!(find(answer, name).is_none() || find(offer, name).is_some(), "{name} was not offered");
    }
    // Section 7.1.1.1 and 7.1.2.1: accepted by being answered, and not loosened.
    assert!(find(offer, "server_no_context_takeover").is_none() || agreed.server_no_context_takeover);
    assert!(
        find(offer, "server_max_window_bits").is_none() || find(answer, "server_max_window_bits").is_some()
    );
    assert!(agreed.server_max_window_bits.get() <= offered_bits("server_max_window_bits"));
    // A peer that reads the answer as the RFC has it comes to the same parameters, or allows the server more than it
    // takes.
    let bits = |name| find(answer, name).map_or(15, |one| one.value.unwrap().parse().unwrap());
    assert!(agreed.server_max_window_bits.get() <= bits("server_max_window_bits"));
    assert!(agreed.server_max_window_bits <= server.server_max_window_bits);
    assert_eq!(agreed.client_max_window_bits.get(), bits("client_max_window_bits"));
    assert!(agreed.server_no_context_takeover || find(answer, "server_no_context_takeover").is_none());
    assert_eq!(agreed.client_no_context_takeover, find(answer, "client_no_context_takeover").is_some());
}

/// Whatever our client offers our server can answer, and neither end sends what the other cannot read.
fn check_agreement(client: &deflate::Config, server: &deflate::Config) {
    let offer = deflate::offer(client);
    let offers = Extension::parse_list([offer.as_bytes()]).unwrap();
    let (at_server, answer) =
        deflate::negotiate(offers.iter().map(parameters), server).expect("no agreement");
    let answer = Extension::parse_list([answer.as_bytes()]).unwrap();
    let at_client = Agreed::from_response(parameters(&answer[0]), client).expect("the answer is refused");
    // The client inflates with what it knows of the server, and the other way round.
    assert!(at_client.server_max_window_bits >= at_server.server_max_window_bits);
    assert!(at_server.server_no_context_takeover || !at_client.server_no_context_takeover);
    assert!(at_client.client_max_window_bits <= at_server.client_max_window_bits);
    assert!(at_client.client_no_context_takeover || !at_server.client_no_context_takeover);
}

fn plain(extensions: &[Extension]) -> Vec<(String, Vec<Parameter>)> {
    let parameters = |extension: &Extension| {
        extension
            .parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.value.clone()))
            .collect()
    };
    extensions.iter().map(|extension| (extension.name.clone(), parameters(extension))).collect()
}
