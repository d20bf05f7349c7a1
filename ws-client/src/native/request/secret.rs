//! Header fields that contain secrets.

use http::header::{HeaderMap, HeaderName};

/// Returns whether the name of a field looks like that of a credential.
pub(super) fn is_secret(name: &HeaderName) -> bool {
    SECRET_WORDS.iter().any(|word| name.as_str().contains(word))
}

/// Removes the fields that contain credentials: those marked as sensitive.
pub(super) fn remove_secrets(headers: &mut HeaderMap) {
    let secret = headers.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.clone());
    for name in secret.collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// `Authorization`, `Proxy-Authorization`, `X-Auth-…`; `Cookie`; `X-Api-Key`, `X-Amz-Security-Token` and the like.
const SECRET_WORDS: [&str; 13] = [
    "auth",
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "key",
    "pass",
    "secret",
    "session",
    "signature",
    "ticket",
    "token",
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn names_of_credentials_are_recognised() {
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "cookie2",
            "x-api-key",
            "apikey",
            "ocp-apim-subscription-key",
            "x-amz-security-token",
            "x-csrf-token",
            "x-session-id",
            "x-client-secret",
            "x-auth",
            "x-password",
            "x-access-pass",
            "x-jwt",
            "x-custom-bearer",
            "x-login-ticket",
            "signature",
        ] {
            assert!(is_secret(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["origin", "user-agent", "accept-language", "host", "x-mine", "x-request-id"] {
            assert!(!is_secret(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn one_sensitive_value_removes_all_lines_of_the_name() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        let mut hidden = HeaderValue::from_static("2");
        hidden.set_sensitive(true);
        headers.append("x-a", hidden);
        headers.append("x-b", HeaderValue::from_static("3"));
        remove_secrets(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-b"]);
    }
}
