//! Which pages of a browser may connect: RFC 6455 sections 4.2.2 and 10.2.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use http::header::ORIGIN;
use ws_core::handshake::{Origin, Refusal, visible_ascii};

use crate::config::error::SettingError;
use crate::config::host_policy::LONGEST_SHOWN;
use crate::opening::origin_pattern::OriginPattern;
use crate::web::request::Request;

/// Which `Origin` a request may carry.
///
/// A browser sends the origin of the page that opens the WebSocket, and sends the user's cookies with
/// it: without a check any page of the web could act in the user's name. Programs other than browsers
/// send no `Origin`, so a request without one is accepted by each policy but [`Predicate`](Self::Predicate).
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// The origin's host and port are those of the request's `Host` field, and its scheme is `https` where the server
    /// itself ends TLS, and otherwise `http` or `https`. Where a trusted proxy names scheme and host
    /// ([`ForwardedFields`](crate::ForwardedFields)), those count instead. The default.
    #[default]
    SameHost,
    /// One of these, written as a browser sends them: `https://example.com`, `http://localhost:8080`;
    /// `https://*.example.com` is any host of one or more labels below `example.com`.
    /// Compared without regard to ASCII case; a default port may be written or not. Apps have their own scheme
    /// (`capacitor://localhost`, `chrome-extension://id`) or `file://`, which is what all files send, and `null` is
    /// what pages without an origin send, all of them.
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
            let secure = request.is_client_secure();
            return match request.forwarded_host() {
                None => request.head().is_same_host_or_absent(secure),
                Some(host) => is_host_or_absent(request, host, secure),
            };
        }
        let mut fields = request.head().values(&ORIGIN);
        let origin = match (fields.next(), fields.next()) {
            (None, _) => None,
            (Some(value), None) => match visible_ascii(value) {
                Some(origin) => Some(origin),
                None => return false,
            },
            // RFC 6454 §7.3: a user agent sends one; two are an attempt to be read in two ways.
            (Some(_), Some(_)) => return false,
        };
        match (self, origin) {
            (Self::Predicate(predicate), origin) => predicate(origin, request),
            (Self::List(list), Some(origin)) => list
                .iter()
                .filter_map(|one| OriginPattern::parse(one).ok())
                .any(|pattern| pattern.matches(origin)),
            _ => true,
        }
    }

    /// Refuses a request that may not pass, with a body that names its origin and the setting.
    pub(crate) fn check_request(&self, request: &Request) -> Result<(), Refusal> {
        if self.allows(request) {
            return Ok(());
        }
        let mut fields = request.head().values(&ORIGIN);
        let what = match (fields.next(), fields.next()) {
            (None, _) => "A request without an Origin".to_owned(),
            (Some(_), Some(_)) => "A request with more than one Origin".to_owned(),
            // What is repeated has the characters of an origin and nothing beside them.
            (Some(origin), None) if origin == b"null" || Origin::parse(origin).is_some() => {
                let origin: String = String::from_utf8_lossy(origin).chars().take(LONGEST_SHOWN).collect();
                format!("The origin {origin}")
            }
            (Some(_), None) => "An Origin field without an origin in it".to_owned(),
        };
        let rule = match self {
            Self::SameHost if request.is_secure() => "OriginPolicy::SameHost: https pages of the same host",
            Self::SameHost => "OriginPolicy::SameHost: pages of the same host",
            Self::List(_) => "OriginPolicy::List",
            Self::Any => "OriginPolicy::Any: one origin or none",
            Self::Predicate(_) => "OriginPolicy::Predicate",
        };
        let reason = format!("{what} is not allowed by the endpoint's setting origin ({rule}).");
        // RFC 6455 §4.2.2 step 4 and §10.2: an origin that is not acceptable gets 403.
        Err(Refusal::new(StatusCode::FORBIDDEN, &reason))
    }

    /// That every entry of a list can match.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        let Self::List(list) = self else { return Ok(()) };
        for one in list {
            OriginPattern::parse(one)
                .map_err(|must| SettingError::new("origin", format!("{one:?}"), must))?;
        }
        Ok(())
    }
}

/// As [`is_same_host_or_absent`], for a request that was addressed to `host` at a proxy.
fn is_host_or_absent(request: &Request, host: &str, secure: bool) -> bool {
    let mut origins = request.head().values(&ORIGIN);
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => Origin::parse(origin)
            .is_some_and(|origin| origin.is_same_host(host) && (!secure || origin.scheme() == "https")),
        (Some(_), Some(_)) => false,
    }
}

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
    use crate::transport::peer::Peer;

    fn request(origins: &[&str]) -> Request {
        let mut head = http::Request::get("/").header("host", "example.com");
        for origin in origins {
            head = head.header("origin", *origin);
        }
        Request::new(head.body(()).unwrap(), Peer::new(None))
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
    fn a_list_admits_files_apps_and_names_below_a_host() {
        let list = [
            "file://",
            "capacitor://localhost",
            "app://x:1",
            "https://*.example.com",
            "http://*.b.example:81",
        ];
        let list = OriginPolicy::List(list.map(str::to_owned).to_vec());
        for origin in [
            "file://",
            "capacitor://localhost",
            "app://x:1",
            "https://a.example.com",
            "https://a.b.example.com:443",
            "http://a.b.example:81",
        ] {
            assert!(list.allows(&request(&[origin])), "{origin}");
        }
        for origin in [
            "null",
            "file:///",
            "content://",
            "capacitor://evil",
            "app://x",
            "https://example.com",
            "http://a.example.com",
            "https://a.example.com:444",
            "https://.example.com",
            "https://aexample.com",
            "https://a.example.com.evil.example",
            "http://a.b.example",
            "ftp://a.example.com",
        ] {
            assert!(!list.allows(&request(&[origin])), "{origin}");
        }
    }

    #[test]
    fn a_refusal_names_the_origin_and_the_setting_and_nothing_that_is_no_origin() {
        let policies = [
            (OriginPolicy::SameHost, "OriginPolicy::SameHost"),
            (OriginPolicy::List(vec!["https://a.example".into()]), "OriginPolicy::List"),
            (OriginPolicy::predicate(|_, _| false), "OriginPolicy::Predicate"),
        ];
        for (policy, name) in policies {
            for (origins, words) in [
                (&["https://evil.example"][..], "The origin https://evil.example is not allowed"),
                (&["null"], "The origin null is not allowed"),
                (&["<script>"], "An Origin field without an origin in it is not allowed"),
                (&["http://x", "http://y"], "more than one Origin is not allowed"),
            ] {
                let refusal = policy.check_request(&request(origins)).unwrap_err();
                let body = refusal.body();
                assert_eq!(refusal.status(), StatusCode::FORBIDDEN);
                assert!(
                    body.contains(words) && body.contains("setting origin") && body.contains(name),
                    "{body}"
                );
                assert!(!body.contains("script"), "{body}");
            }
        }
        let long = format!("https://{}.example", "a".repeat(8000));
        assert!(OriginPolicy::SameHost.check_request(&request(&[&long])).unwrap_err().body().len() < 400);
    }

    #[test]
    fn two_origins_are_refused_by_every_policy() {
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
