//! What the caller can do about an answer of the server that opens no WebSocket.

use http::header::WWW_AUTHENTICATE;
use ws_core::handshake::{HandshakeError, Refused};

use crate::challenge::schemes;

/// What the caller can do about a rule that the server broke.
pub(super) fn hint(error: &HandshakeError) -> &'static str {
    match error {
        HandshakeError::UnexpectedEnd { received: 0 } => {
            ": does a WebSocket server listen there, or one that wants TLS (wss://)?"
        }
        HandshakeError::UnofferedSubprotocol(_) => ": offer it with `Request::subprotocol`",
        _ => "",
    }
}

/// Returns the target of a redirect without what may be a secret: the query, user name and password.
fn without_secrets(location: &str) -> String {
    let place = location.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = place.split_once("//") else { return place.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}//{host}{path}")
}

/// Returns one line about a refusal: the status, the target of a redirect, what to do, and the body.
pub(super) fn refusal(refused: &Refused) -> String {
    let status = refused.response.status();
    let location = refused.response.headers().get(http::header::LOCATION);
    let todo = match status.as_u16() {
        300..=399 => match location.and_then(|l| l.to_str().ok()) {
            Some(to) => format!("it points to {}: set Options::max_redirects to follow", without_secrets(to)),
            None => "it has no Location field".into(),
        },
        200..=299 => "this address answers in plain HTTP, it is not a WebSocket's: check the path".into(),
        401 => credentials(refused),
        403 => "it forbids the access: check the credentials and the Origin it expects".into(),
        404 => "there is nothing at this path: check the path".into(),
        400 => "it does not understand the request: its body may say why".into(),
        426 => "it speaks another version of the protocol, or requires HTTP/2".into(),
        408 | 425 | 429 | 500..=599 => "try again later".into(),
        _ => "its body may say why".into(),
    };
    let mut line = format!("the server answered {status}: {todo}");
    if !refused.response.body().is_empty() {
        line = format!("{line} (it says: {})", refused.body_text());
    }
    line
}

/// Returns how to give the credentials that a 401 asks for, by its schemes (RFC 9110 section 11.6.1).
fn credentials(refused: &Refused) -> String {
    let schemes = schemes(refused.response.headers(), WWW_AUTHENTICATE);
    let asks_for = |name: &str| schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(name));
    if asks_for("Bearer") && asks_for("Basic") {
        "it asks for a token or a password: give the token as an Authorization field `Bearer TOKEN`, or write \
         ws://user:password@…"
            .into()
    } else if asks_for("Bearer") {
        // RFC 6750 section 2.1.
        "it asks for a token: give it as an Authorization field `Bearer TOKEN`".into()
    } else if schemes.is_empty() || asks_for("Basic") {
        "it asks for credentials: give them as ws://user:password@… or as an Authorization field".into()
    } else {
        format!("it asks for credentials of {}: give them as an Authorization field", schemes.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_redirect_is_shown_without_secrets() {
        for (location, shown) in [
            ("ws://user:sekret@h:1/a?token=t", "ws://h:1/a"),
            ("ws://user:p@ss@h", "ws://h"),
            ("//u@h/x@y", "//h/x@y"),
            ("/other?t#f", "/other"),
            ("wss://h/a", "wss://h/a"),
        ] {
            assert_eq!(without_secrets(location), shown);
        }
    }
}
