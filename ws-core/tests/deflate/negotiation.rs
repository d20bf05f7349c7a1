//! Offer and answer: every rule of RFC 7692 section 7.1, both roles.

use ws_core::deflate::{Agreed, Config, NegotiationError, WindowBits, negotiate, offer};

/// The parameters of one element, as a header parser hands them over.
fn params(element: &str) -> Vec<(&str, Option<&str>)> {
    let mut parts = element.split(';').map(str::trim);
    assert_eq!(parts.next(), Some("permessage-deflate"));
    parts.map(|part| part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)))).collect()
}

fn answer(offers: &[&str], config: &Config) -> Option<(Agreed, String)> {
    negotiate(offers.iter().map(|element| params(element)), config)
}

fn answered(offer: &str, config: &Config) -> Option<String> {
    answer(&[offer], config).map(|(_, header)| header)
}

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

/// A server without preferences: its answer depends on the offer alone.
fn plain() -> Config {
    Config::server().server_max_window_bits(WindowBits::MAX).client_max_window_bits(WindowBits::MAX)
}

#[test]
fn a_server_without_preferences_accepts_what_is_offered() {
    for (offer, expected) in [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits=15", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"),
        ("permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8"),
        // §7.1.2.1: accepted by being included, even where 15 is what its absence means.
        ("permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=11; client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=9",
        ),
    ] {
        assert_eq!(answered(offer, &plain()).as_deref(), Some(expected), "{offer}");
    }
}

#[test]
fn each_window_that_is_offered_is_answered() {
    for bits in 8..=15 {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        assert_eq!(answered(&offer, &plain()), Some(offer));
    }
}

#[test]
fn the_default_server_answers_the_windows_that_are_offered_and_no_others() {
    let config = Config::server();
    for (offer, expected) in [
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=15",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=12"),
        // §7.1.2.2: never answered unless offered. websocket-sharp and Unity fail on a window they did not name.
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
        (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        ("permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
        ("permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=9"),
    ] {
        assert_eq!(answered(offer, &config).as_deref(), Some(expected), "{offer}");
    }
    // What is not said is kept to all the same; the client's window is the largest it may take.
    let (agreed, _) = answer(&["permessage-deflate"], &config).unwrap();
    assert_eq!(agreed, Agreed { server_max_window_bits: bits(12), ..Agreed::PLAIN });
}

#[test]
fn a_client_reads_out_of_the_answer_what_it_needs_to_inflate_and_to_be_inflated() {
    let flags = [false, true];
    let sizes = [None, Some(None), Some(Some(8)), Some(Some(12)), Some(Some(15))];
    let server = Config::server().server_no_context_takeover(true);
    for config in [plain(), Config::server(), server] {
        for (a, b) in flags.iter().flat_map(|a| flags.iter().map(move |b| (*a, *b))) {
            for (s, c) in sizes.iter().flat_map(|s| sizes.iter().map(move |c| (*s, *c))) {
                let text = s.flatten().map(|n: u8| n.to_string());
                let hint = c.flatten().map(|n: u8| n.to_string());
                let mut offer = Vec::new();
                offer.extend(a.then_some(("server_no_context_takeover", None)));
                offer.extend(b.then_some(("client_no_context_takeover", None)));
                offer.extend(s.map(|_| ("server_max_window_bits", text.as_deref())));
                offer.extend(c.map(|_| ("client_max_window_bits", hint.as_deref())));
                let result = negotiate([offer.clone()], &config);
                if s == Some(None) {
                    assert_eq!(result, None, "{offer:?}");
                    continue;
                }
                let (agreed, header) = result.unwrap();
                // A client that made this offer reads the same out of the answer, but for what the server asks of
                // itself: there the client allows for more than will come.
                let client = Config::client()
                    .server_no_context_takeover(a)
                    .client_no_context_takeover(b)
                    .server_max_window_bits(bits(s.flatten().unwrap_or(15)))
                    .client_max_window_bits(bits(c.flatten().unwrap_or(15)));
                let read = Agreed::from_response(params(&header), &client).unwrap();
                assert_eq!(
                    (read.client_no_context_takeover, read.client_max_window_bits),
                    (agreed.client_no_context_takeover, agreed.client_max_window_bits),
                    "{offer:?} → {header}"
                );
                assert!(read.server_max_window_bits >= agreed.server_max_window_bits, "{offer:?} → {header}");
                assert!(!read.server_no_context_takeover || agreed.server_no_context_takeover);
                // Nothing is answered that was not offered.
                for (name, _) in params(&header) {
                    assert!(offer.iter().any(|(offered, _)| *offered == name), "{offer:?} → {header}");
                }
                assert!(agreed.server_max_window_bits <= config.server_max_window_bits);
                assert!(c.is_none() || agreed.client_max_window_bits <= config.client_max_window_bits);
                assert!(c.is_some() || !header.contains("client_max_window_bits"), "{header}");
                assert_eq!(agreed.server_no_context_takeover, a || config.server_no_context_takeover);
                assert_eq!(agreed.client_no_context_takeover, b);
            }
        }
    }
}

const ILLEGAL: [&str; 27] = [
    "permessage-deflate; unknown",
    "permessage-deflate; unknown=1",
    "permessage-deflate; Server_no_context_takeover",
    "permessage-deflate; server_no_context_takeover=true",
    "permessage-deflate; client_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover=",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
    "permessage-deflate; client_max_window_bits; client_max_window_bits",
    "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits=0",
    "permessage-deflate; server_max_window_bits=08",
    "permessage-deflate; server_max_window_bits=015",
    "permessage-deflate; server_max_window_bits=+9",
    "permessage-deflate; server_max_window_bits=-9",
    "permessage-deflate; server_max_window_bits=9.0",
    "permessage-deflate; server_max_window_bits=264",
    "permessage-deflate; server_max_window_bits=ten",
    "permessage-deflate; server_max_window_bits=",
    "permessage-deflate; client_max_window_bits=7",
    "permessage-deflate; client_max_window_bits=16",
    "permessage-deflate; client_max_window_bits=010",
    "permessage-deflate; client_max_window_bits=+10",
    "permessage-deflate; client_max_window_bits=",
];

#[test]
fn an_illegal_offer_is_declined() {
    for offer in ILLEGAL.iter().chain(&["permessage-deflate; server_max_window_bits"]) {
        assert_eq!(answered(offer, &plain()), None, "{offer}");
    }
    assert_eq!(answer(&[], &plain()), None);
}

#[test]
fn a_declined_offer_makes_way_for_the_next() {
    for illegal in ILLEGAL {
        let next = "permessage-deflate; client_max_window_bits=11";
        let (agreed, header) = answer(&[illegal, illegal, next, "permessage-deflate"], &plain()).unwrap();
        assert_eq!(header, "permessage-deflate; client_max_window_bits=11", "{illegal}");
        assert_eq!(agreed, Agreed { client_max_window_bits: bits(11), ..Agreed::PLAIN });
    }
}

#[test]
fn the_first_good_offer_wins() {
    let offers = ["permessage-deflate; server_max_window_bits=9", "permessage-deflate"];
    assert_eq!(answer(&offers, &plain()).unwrap().1, offers[0]);
    assert_eq!(answer(&[offers[1], offers[0]], &plain()).unwrap().1, offers[1]);
}

#[test]
fn a_server_may_require_no_takeover_of_a_client_that_did_not_offer_it_and_applies_its_own_silently() {
    let config = plain().server_no_context_takeover(true).client_no_context_takeover(true);
    let (agreed, header) = answer(&["permessage-deflate"], &config).unwrap();
    assert_eq!(header, "permessage-deflate; client_no_context_takeover");
    assert!(agreed.server_no_context_takeover && agreed.client_no_context_takeover);
}

#[test]
fn the_client_offers_what_the_suite_needs() {
    assert_eq!(
        offer(&Config::client()),
        "permessage-deflate; client_no_context_takeover; client_max_window_bits"
    );
}

#[test]
fn the_offer_contains_every_requested_parameter() {
    let config = Config::client()
        .server_no_context_takeover(true)
        .client_no_context_takeover(false)
        .server_max_window_bits(bits(10))
        .client_max_window_bits(bits(8));
    assert_eq!(
        offer(&config),
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=8"
    );
}

#[test]
fn a_legal_answer_is_agreed() {
    let config = Config::client().client_no_context_takeover(false);
    for (answer, expected) in [
        ("permessage-deflate", Agreed::PLAIN),
        (
            "permessage-deflate; server_no_context_takeover",
            Agreed { server_no_context_takeover: true, ..Agreed::PLAIN },
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            Agreed { client_no_context_takeover: true, ..Agreed::PLAIN },
        ),
        // §7.1.2.1: may be answered without having been offered.
        (
            "permessage-deflate; server_max_window_bits=8",
            Agreed { server_max_window_bits: WindowBits::MIN, ..Agreed::PLAIN },
        ),
        (
            "permessage-deflate; client_max_window_bits=8",
            Agreed { client_max_window_bits: WindowBits::MIN, ..Agreed::PLAIN },
        ),
        ("permessage-deflate; client_max_window_bits=15; server_max_window_bits=15", Agreed::PLAIN),
    ] {
        assert_eq!(Agreed::from_response(params(answer), &config), Ok(expected), "{answer}");
    }
}

#[test]
fn what_the_client_promised_in_its_offer_applies_without_an_answer() {
    let config = Config::client().client_max_window_bits(bits(11));
    let agreed = Agreed::from_response(params("permessage-deflate"), &config).unwrap();
    assert!(agreed.client_no_context_takeover);
    assert_eq!(agreed.client_max_window_bits, bits(11));
}

#[test]
fn an_illegal_answer_is_an_error() {
    for illegal in ILLEGAL {
        assert!(Agreed::from_response(params(illegal), &Config::client()).is_err(), "{illegal}");
    }
}

#[test]
fn the_error_says_what_is_wrong_with_the_answer() {
    use NegotiationError::*;
    let config = Config::client()
        .server_no_context_takeover(true)
        .server_max_window_bits(bits(12))
        .client_max_window_bits(bits(11));
    let ok = "permessage-deflate; server_no_context_takeover; server_max_window_bits=12";
    assert!(Agreed::from_response(params(ok), &config).is_ok());
    for (added, expected) in [
        ("; mu", UnknownParameter("mu".into())),
        ("; server_no_context_takeover", RepeatedParameter("server_no_context_takeover")),
        ("; server_max_window_bits=9", RepeatedParameter("server_max_window_bits")),
        ("; client_no_context_takeover=0", UnexpectedValue("client_no_context_takeover")),
        ("; client_max_window_bits", MissingValue("client_max_window_bits")),
        (
            "; client_max_window_bits=16",
            InvalidWindowBits { parameter: "client_max_window_bits", value: "16".into() },
        ),
        (
            "; client_max_window_bits=12",
            AboveOffer { parameter: "client_max_window_bits", offered: 11, answered: 12 },
        ),
    ] {
        assert_eq!(Agreed::from_response(params(&format!("{ok}{added}")), &config), Err(expected), "{added}");
    }
    for (answer, expected) in [
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=13",
            AboveOffer { parameter: "server_max_window_bits", offered: 12, answered: 13 },
        ),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits",
            MissingValue("server_max_window_bits"),
        ),
        // An offer with these parameters can only be accepted with them (§7.1.1.1, §7.1.2.1).
        ("permessage-deflate; server_no_context_takeover", MissingParameter("server_max_window_bits")),
        ("permessage-deflate; server_max_window_bits=12", MissingParameter("server_no_context_takeover")),
    ] {
        assert_eq!(Agreed::from_response(params(answer), &config), Err(expected), "{answer}");
    }
}

#[test]
fn only_eight_to_fifteen_are_window_bits() {
    for n in 0..=u8::MAX {
        assert_eq!(WindowBits::new(n).is_some(), (8..=15).contains(&n), "{n}");
    }
    assert_eq!((WindowBits::MIN.bytes(), WindowBits::MAX.bytes()), (256, 32_768));
}
