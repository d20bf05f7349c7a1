//! Which pages of a browser may connect: RFC 6455 sections 4.2.2 and 10.2.

use std::fmt;
use std::sync::Arc;

use http::header::ORIGIN;
use ws_core::handshake::{Origin, is_same_host_or_absent};

use crate::request::Request;

/// Which `Origin` a request may carry.
///
/// A browser sends the origin of the page that opens the WebSocket, and sends the user's cookies with
/// it: without a check any page of the web could act in the user's name. Programs other than browsers
/// send no `Origin`, so a request without one is accepted by each policy but [`Predicate`](Self::Predicate).
#[derive(Clone, Default)]
pub enum OriginPolicy {
    /// The origin's host and port are those of the request's `Host` field. The default.
    #[default]
    SameHost,
    /// One of these, written as a browser sends them: `https://example.com`, `http://localhost:8080`.
    /// Compared without regard to ASCII case; a default port may be written or not. `null` is what pages without
    /// an origin send, all of them.
    List(Vec<String>),
    /// Any. Only for endpoints that do not act for a user: public data, or a token in the first message.
    Any,
    /// Asked each time, with the field's value (`None` when there is none) and the request.
    Predicate(Arc<OriginPredicate>),
}

/// What [`OriginPolicy::Predicate`] holds: `true` lets the request pass.
pub type OriginPredicate = dyn Fn(Option<&str>, &Request) -> bool + Send + Sync;

impl OriginPolicy {
    /// A policy that asks `predicate`.
    pub fn predicate(predicate: impl Fn(Option<&str>, &Request) -> bool + Send + Sync + 'static) -> Self {
        Self::Predicate(Arc::new(predicate))
    }

    /// Whether the request may pass.
    pub fn allows(&self, request: &Request) -> bool {
        if let Self::SameHost = self {
            return is_same_host_or_absent(request.http());
        }
        let mut fields = request.headers().get_all(ORIGIN).iter();
        let origin = match (fields.next(), fields.next()) {
            (None, _) => None,
            (Some(value), None) => match value.to_str() {
                Ok(origin) => Some(origin),
                Err(_) => return false,
            },
            // RFC 6454 §7.3: a user agent sends one; two are an attempt to be read in two ways.
            (Some(_), Some(_)) => return false,
        };
        match (self, origin) {
            (Self::Predicate(predicate), origin) => predicate(origin, request),
            (Self::List(list), Some(origin)) => list.iter().any(|one| is_same(one, origin)),
            _ => true,
        }
    }
}

/// Whether a browser could send this.
pub(crate) fn is_origin(text: &str) -> bool {
    text == OPAQUE || Origin::parse(text.as_bytes()).is_some()
}

fn is_same(one: &str, other: &str) -> bool {
    match Origin::parse(one.as_bytes()) {
        Some(one) => Origin::parse(other.as_bytes()) == Some(one),
        None => one == OPAQUE && other == OPAQUE,
    }
}

/// The origin of a page that has none (RFC 6454 section 7.1).
const OPAQUE: &str = "null";

impl fmt::Debug for OriginPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameHost => f.write_str("SameHost"),
            Self::List(list) => f.debug_tuple("List").field(list).finish(),
            Self::Any => f.write_str("Any"),
            Self::Predicate(_) => f.write_str("Predicate(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;

    fn request(origins: &[&str]) -> Request {
        let mut head = http::Request::get("/").header("host", "example.com");
        for origin in origins {
            head = head.header("origin", *origin);
        }
        Request::new(head.body(()).unwrap(), Client::default())
    }

    #[test]
    fn a_list_admits_its_members_and_programs_without_an_origin() {
        let list = OriginPolicy::List(vec!["https://a.example".into(), "http://b.example:8080".into()]);
        assert!(list.allows(&request(&[])));
        assert!(list.allows(&request(&["HTTPS://A.example"])));
        assert!(list.allows(&request(&["http://b.example:8080"])));
        let written = OriginPolicy::List(vec!["https://a.example:443".into(), "null".into()]);
        assert!(written.allows(&request(&["https://a.example"])) && written.allows(&request(&["null"])));
        for other in ["http://a.example", "http://b.example", "null", "", "http://example.com"] {
            assert!(!list.allows(&request(&[other])), "{other}");
        }
    }

    #[test]
    fn two_origins_pass_no_policy() {
        let twice = request(&["http://example.com", "http://example.com"]);
        let policies = [OriginPolicy::SameHost, OriginPolicy::Any, OriginPolicy::predicate(|_, _| true)];
        for policy in policies {
            assert!(!policy.allows(&twice), "{policy:?}");
        }
    }

    #[test]
    fn a_predicate_sees_the_absence_of_an_origin() {
        let policy = OriginPolicy::predicate(|origin, _| origin == Some("app://mine"));
        assert!(policy.allows(&request(&["app://mine"])));
        assert!(!policy.allows(&request(&[])));
    }

    #[test]
    fn the_default_is_the_same_host() {
        assert!(matches!(OriginPolicy::default(), OriginPolicy::SameHost));
    }
}
