//! Sections 21.6 to 21.9: subprotocols, extensions, Origin, and the connection after a refusal.

use super::HELLO;
use crate::native::{
    frame::text,
    probe::{Draft, Want, draft::upgrade, echoes, ends, opens, refuses, server, status, want::Field},
    script::Case,
};

const SUBPROTOCOL: &str = "RFC 6455 section 4.2.2, number 5: at most one subprotocol, of those offered";
const SUBPROTOCOLS: &str = "RFC 6455 section 4.1, number 10: subprotocols are tokens, each once";
const EXTENSION: &str = "RFC 6455 section 9.1: unknown extensions are ignored";
const OFFER: &str = "RFC 7692 section 7.1: an offer with such parameters is declined";
const ORIGIN: &str = "RFC 6455 section 10.2, RFC 6454: the server chooses which origins it accepts";
const REFUSAL: &str = "RFC 9112 section 9.6: after Connection: close the server ends the connection";

const NAME: &str = "sec-websocket-extensions";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [subprotocols(), extensions(), parameters(), origins(), refusals()].concat()
}

fn subprotocols() -> Vec<Case> {
    let offer = |value: &str| upgrade().with(format!("Sec-WebSocket-Protocol: {value}"));
    // Every answer is checked for subprotocols that were not offered.
    let opened = |id: &str, what: &str, head: Draft| {
        server(id, SUBPROTOCOL, what)
            .ask(head)
            .send(text(HELLO))
            .must([opens(), echoes(HELLO)])
            .reported([status(400..=499)])
            .done()
    };
    let strict = |id: &str, rule: &'static str, what: &str, head: Draft| {
        server(id, rule, what).ask(head).must([refuses()]).should([ends()]).should([opens()]).done()
    };
    vec![
        opened("21.6.1", "the subprotocol x-unknown", offer("x-unknown")),
        opened("21.6.2", "two subprotocols", offer("x-one, x-two")),
        opened(
            "21.6.3",
            "two subprotocols in two lines",
            offer("x-one").with("Sec-WebSocket-Protocol: x-two"),
        ),
        opened(
            "21.6.4",
            "200 subprotocols",
            offer(&(0..200).map(|n| format!("x-{n}")).collect::<Vec<_>>().join(",")),
        ),
        strict("21.6.5", SUBPROTOCOLS, "the same subprotocol twice", offer("x-one, x-one")),
        strict("21.6.6", SUBPROTOCOLS, "a subprotocol that is not a token", offer("x one")),
        strict("21.6.7", SUBPROTOCOLS, "a subprotocol with a slash", offer("x/one")),
        server("21.6.8", SUBPROTOCOLS, "an empty Sec-WebSocket-Protocol")
            .ask(offer(""))
            .must([opens().with(Field::Absent("sec-websocket-protocol"))])
            .must([refuses()])
            .done(),
    ]
}

fn offer(value: &str) -> Draft {
    upgrade().with(format!("Sec-WebSocket-Extensions: {value}"))
}

fn extensions() -> Vec<Case> {
    let none = |id: &str, what: &str, head: Draft| {
        let opened = opens().with(Field::Absent(NAME));
        server(id, EXTENSION, what).ask(head).send(text(HELLO)).must([opened, echoes(HELLO)]).done()
    };
    vec![
        none("21.7.1", "an unknown extension", offer("x-unknown")),
        none("21.7.2", "an unknown extension with parameters", offer("x-unknown; a; b=1; c=\"2\"")),
        none(
            "21.7.3",
            "x-webkit-deflate-frame, which is not a registered extension",
            offer("x-webkit-deflate-frame"),
        ),
        server("21.7.4", EXTENSION, "permessage-deflate after an unknown extension in another line")
            .ask(offer("x-unknown").with("Sec-WebSocket-Extensions: permessage-deflate"))
            .must([opens().with(Field::Begins(NAME, "permessage-deflate"))])
            .unknown([opens()])
            .done(),
        server("21.7.5", "RFC 6455 section 9.1: extension-list", "an extension list with invalid syntax")
            .ask(offer("permessage-deflate; ="))
            .must([refuses()])
            .must([opens().with(Field::Absent(NAME))])
            .done(),
        server("21.7.6", "RFC 6455 section 9.1: extension-list", "an empty Sec-WebSocket-Extensions")
            .ask(offer(""))
            .must([opens().with(Field::Absent(NAME))])
            .must([refuses()])
            .done(),
    ]
}

fn parameters() -> Vec<Case> {
    let declined = |id: &str, parameters: &str| {
        server(id, OFFER, format!("the offer permessage-deflate; {parameters}"))
            .ask(offer(&format!("permessage-deflate; {parameters}")))
            .send(text(HELLO))
            .must([opens().with(Field::Absent(NAME)), echoes(HELLO)])
            .should([refuses()])
            .done()
    };
    // Accepted with the parameter in the answer, or declined.
    let answered = |id: &str, rule: &'static str, parameters: &str, word: &'static str| {
        server(id, rule, format!("the offer permessage-deflate; {parameters}"))
            .ask(offer(&format!("permessage-deflate; {parameters}")))
            .send(text(HELLO))
            .must([opens().with(Field::Contains(NAME, word)), echoes(HELLO)])
            .unknown([opens().with(Field::Absent(NAME)), echoes(HELLO)])
            .done()
    };
    let silent = |id: &str, rule: &'static str, parameters: &str, word: &'static str| {
        server(id, rule, format!("the offer permessage-deflate{parameters}"))
            .ask(offer(&format!("permessage-deflate{parameters}")))
            .send(text(HELLO))
            .unknown([opens().with(Field::Absent(NAME)), echoes(HELLO)])
            .must([opens().with(Field::Lacks(NAME, word)), echoes(HELLO)])
            .done()
    };
    vec![
        declined("21.7.7", "unknown"),
        declined("21.7.8", "unknown=1"),
        declined("21.7.9", "server_no_context_takeover=1"),
        declined("21.7.10", "client_no_context_takeover=true"),
        declined("21.7.11", "server_no_context_takeover; server_no_context_takeover"),
        declined("21.7.12", "server_max_window_bits"),
        declined("21.7.13", "server_max_window_bits=7"),
        declined("21.7.14", "server_max_window_bits=16"),
        declined("21.7.15", "server_max_window_bits=010"),
        declined("21.7.16", "server_max_window_bits=+10"),
        declined("21.7.17", "server_max_window_bits=10; server_max_window_bits=11"),
        declined("21.7.18", "client_max_window_bits=7"),
        declined("21.7.19", "client_max_window_bits=16"),
        declined("21.7.20", "client_max_window_bits=abc"),
        answered(
            "21.7.21",
            "RFC 7692 section 7.1.1.1: a server that accepts the parameter includes it in the answer",
            "server_no_context_takeover",
            "server_no_context_takeover",
        ),
        answered(
            "21.7.22",
            "RFC 7692 section 7.1.2.1: a server that accepts the parameter includes it in the answer",
            "server_max_window_bits=10",
            "server_max_window_bits",
        ),
        answered(
            "21.7.23",
            "RFC 6455 section 9.1: a value may be in quotes",
            "server_max_window_bits=\"12\"",
            "server_max_window_bits",
        ),
        silent(
            "21.7.24",
            "RFC 7692 section 7.1.2.2: no client_max_window_bits unless it was offered",
            "",
            "client_max_window_bits",
        ),
        silent(
            "21.7.25",
            "RFC 7692 section 7.1.2.2: no client_max_window_bits unless it was offered",
            "; server_no_context_takeover",
            "client_max_window_bits",
        ),
        server(
            "21.7.26",
            "RFC 7692 section 5: the first acceptable offer is accepted",
            "an offer that must be declined, and an acceptable one",
        )
        .ask(offer("permessage-deflate; unknown, permessage-deflate"))
        .send(text(HELLO))
        .must([
            opens().with(Field::Begins(NAME, "permessage-deflate")).with(Field::Lacks(NAME, "unknown")),
            echoes(HELLO),
        ])
        .unknown([opens().with(Field::Absent(NAME)), echoes(HELLO)])
        .done(),
    ]
}

fn origins() -> Vec<Case> {
    let origin = |id: &str, what: &str, head: Draft| {
        server(id, ORIGIN, what)
            .ask(head)
            .must([status(403..=403)])
            .reported([status(400..=499)])
            .reported([opens()])
            .done()
    };
    vec![
        server("21.8.1", ORIGIN, "the server's own origin")
            .ask(upgrade().with("Origin: http://{host}"))
            .send(text(HELLO))
            .must([opens(), echoes(HELLO)])
            .reported([status(400..=499)])
            .done(),
        origin(
            "21.8.2",
            "a foreign origin: cross-site hijacking is possible if it is accepted",
            upgrade().with("Origin: https://evil.example"),
        ),
        origin(
            "21.8.3",
            "a foreign origin with a cookie",
            upgrade().with("Origin: https://evil.example").with("Cookie: session=1"),
        ),
        origin("21.8.4", "the origin null, of a sandboxed page", upgrade().with("Origin: null")),
        origin(
            "21.8.5",
            "an origin that begins like that of the server",
            upgrade().with("Origin: http://{host}.evil.example"),
        ),
        server("21.8.6", "RFC 6454 section 7.3: one Origin field", "two Origins, one of them foreign")
            .ask(upgrade().with("Origin: http://{host}").with("Origin: https://evil.example"))
            .must([refuses()])
            .reported([opens()])
            .done(),
    ]
}

fn refusals() -> Vec<Case> {
    let bad = || upgrade().without("Sec-WebSocket-Key");
    let closing = Field::Has("connection", "close");
    vec![
        server("21.9.1", REFUSAL, "after a refusal: the end of the connection, or the next request")
            .head(bad())
            .await_head()
            .must([refuses(), ends()])
            .reported([refuses().with(Field::Lacks("connection", "close")), Want::Silence])
            .should([refuses().with(closing.clone()), Want::Silence])
            .done(),
        server(
            "21.9.2",
            "RFC 9110 section 6.6.1: an answer with a 4xx has a Date, if there is a clock",
            "a refusal has a Date",
        )
        .ask(bad())
        .must([refuses().with(Field::There("date"))])
        .should([refuses()])
        .done(),
        server("21.9.3", REFUSAL, "a refusal ends with FIN, so that the answer can be read")
            .head(bad().followed_by(vec![b'x'; 64 << 10]))
            .await_head()
            .must([refuses(), Want::Fin])
            .reported([refuses(), Want::Silence])
            .should([refuses(), Want::End])
            .should([ends()])
            .done(),
        server(
            "21.9.4",
            "RFC 6455 section 10.4: one client does not affect another",
            "another connection after a refusal",
        )
        .head(bad())
        .await_head()
        .neighbour()
        .must([refuses(), Want::Neighbour])
        .must([refuses(), ends(), Want::Neighbour])
        .done(),
        server(
            "21.9.5",
            "RFC 9112 section 9.3: a connection that stays open accepts another request",
            "a valid request after a refused one",
        )
        .head(bad())
        .await_head()
        .ask(upgrade())
        .send(text(HELLO))
        .must([refuses(), ends()])
        .must([refuses(), opens(), echoes(HELLO)])
        .should([refuses(), refuses()])
        .should([refuses(), status(200..=599), ends()])
        .should([refuses(), Want::Silence])
        .done(),
        server(
            "21.9.6",
            "RFC 6455 section 4.2.2: frames are valid only on an open connection",
            "frames after a refused request",
        )
        .ask(bad().followed_by(text(HELLO).encode(Some([1, 2, 3, 4]))))
        .must([refuses()])
        .should([ends()])
        .done(),
    ]
}
