//! The authentication schemes that a server (401) or a proxy (407) asks for.

use http::HeaderMap;
use http::header::HeaderName;

/// Returns the authentication schemes in the field `name`, each once: `WWW-Authenticate` (RFC 9110 section 11.6.1) or
/// `Proxy-Authenticate` (section 11.7.1).
pub(crate) fn schemes(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in headers.get_all(name) {
        let elements = elements(line.as_bytes());
        for scheme in elements.iter().filter_map(|element| scheme(element)) {
            if found.len() < MOST_SCHEMES && !found.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
                found.push(scheme.to_owned());
            }
        }
    }
    found
}

/// Returns the elements of a comma-separated list, where commas in quotes separate nothing (RFC 9110 section 5.6).
fn elements(line: &[u8]) -> Vec<String> {
    let mut elements = vec![Vec::new()];
    let (mut quoted, mut escaped) = (false, false);
    for &byte in line {
        match byte {
            b',' if !quoted => elements.push(Vec::new()),
            _ => {
                quoted ^= byte == b'"' && !escaped;
                escaped = quoted && byte == b'\\' && !escaped;
                if let Some(element) = elements.last_mut() {
                    element.push(byte);
                }
            }
        }
    }
    elements.iter().map(|element| String::from_utf8_lossy(element).trim().to_owned()).collect()
}

/// Returns the scheme with which an element begins; one that begins with a parameter belongs to the scheme before it
/// (RFC 9110 section 11.6.1).
fn scheme(element: &str) -> Option<&str> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = element.find(|c| !is_token(c)).unwrap_or(element.len());
    let (scheme, rest) = element.split_at_checked(end)?;
    let is_parameter = rest.trim_start().starts_with('=');
    let separated = rest.is_empty() || rest.starts_with([' ', '\t']);
    (!scheme.is_empty() && scheme.len() <= LONGEST_SCHEME && separated && !is_parameter).then_some(scheme)
}

const MOST_SCHEMES: usize = 8;
const LONGEST_SCHEME: usize = 32;

#[cfg(test)]
mod tests {
    use http::header::PROXY_AUTHENTICATE;

    use super::*;

    fn of(lines: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PROXY_AUTHENTICATE, line.parse().unwrap());
        }
        schemes(&headers, PROXY_AUTHENTICATE)
    }

    #[test]
    fn schemes_are_distinguished_from_their_parameters() {
        assert_eq!(of(&["Basic realm=\"x\""]), ["Basic"]);
        assert_eq!(of(&["Negotiate", "NTLM"]), ["Negotiate", "NTLM"]);
        assert_eq!(of(&["NTLM TlRMTVNTUAACAAAA=="]), ["NTLM"]);
        assert_eq!(
            of(&["Digest realm=\"a, b\\\", Basic\", nonce = \"n\",qop=auth, Basic realm=x"]),
            ["Digest", "Basic"]
        );
        for quoted in ["a, NTLM b", "aa, NTLM b", "a\\\", NTLM b", "aa\\\\\\\", NTLM b", "a\\b, NTLM c"] {
            assert_eq!(of(&[&format!("Digest realm=\"{quoted}\", Basic")]), ["Digest", "Basic"], "{quoted}");
        }
        assert_eq!(
            of(&["Digest realm=\"a\\\\\", NTLM b"]),
            ["Digest", "NTLM"],
            "the quotes end behind an escaped backslash"
        );
        assert_eq!(of(&["basic, Basic", ", ,BASIC realm=\"\""]), ["basic"]);
        assert!(of(&[]).is_empty() && of(&["", "=", "\"Basic\"", "a/b c"]).is_empty());
        assert!(of(&[&"x".repeat(33)]).is_empty());
        let many: Vec<String> = (0..20).map(|i| format!("S{i}")).collect();
        assert_eq!(of(&[&many.join(",")]).len(), 8);
    }
}
