//! The request after a redirect (RFC 9110 section 15.4).

use http::Response;
use http::header::HOST;

use super::Request;
use super::secret::remove_secrets;
use crate::error::ConnectError;
use crate::request_error::UrlError;

/// Returns the request for the target of a redirect, or `None` if the refusal is none.
pub(crate) fn redirect(
    request: &Request,
    response: &Response<Vec<u8>>,
) -> Result<Option<Request>, ConnectError> {
    // RFC 9110 §15.4: the statuses that mean "the same request, over there".
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(http::header::LOCATION) else { return Ok(None) };
    let Ok(location) = location.to_str() else { return Ok(None) };
    let next = request.redirected(location)?;
    if request.is_secure() && !next.is_secure() {
        return Err(ConnectError::InsecureRedirect { to: next.authority() });
    }
    Ok(Some(next))
}

impl Request {
    /// Returns the same request for the target of a redirect. When the origin (scheme, host, port) changes, secrets are
    /// removed, as they were meant for the first one: sensitive fields, and the subprotocols, which may contain a token.
    /// So is a `Host` of the caller's, which names the first one.
    fn redirected(&self, location: &str) -> Result<Self, UrlError> {
        let mut next = Self::at(self.address.join(location)?);
        // Credentials in a Location come from the redirecting server, not from the caller: they are not used.
        next.headers = self.headers.clone();
        next.names = self.names.clone();
        if next.address.is_same_origin(&self.address) {
            next.subprotocols = self.subprotocols.clone();
        } else {
            remove_secrets(&mut next.headers);
            next.headers.remove(HOST);
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use http::header::AUTHORIZATION;

    /// A request with every kind of secret, a custom `Host`, and one harmless field.
    fn secretive() -> Request {
        let request = Request::new("ws://u:p@h/a").unwrap();
        let fields = [
            ("Cookie", "c=1"),
            ("Proxy-Authorization", "x"),
            ("X-Api-Key", "k"),
            ("Host", "virtual.example"),
            ("x-mine", "1"),
        ];
        let request =
            fields.iter().fold(request, |request, (name, value)| request.header(*name, *value).unwrap());
        request.secret_header("x-odd", "s").unwrap().subprotocol("v1").subprotocol("bearer.s3cret")
    }

    #[test]
    fn secrets_stay_behind_when_a_redirect_leaves_the_origin() {
        let request = secretive();
        // The last three change the scheme only, the port only, the host only.
        for location in
            ["https://h/b", "//other/x", "http://other/", "https://h:80/a", "ws://h:81/a", "ws://g/a"]
        {
            let moved = request.redirected(location).unwrap();
            assert_eq!(moved.headers().keys().collect::<Vec<_>>(), ["x-mine"], "{location}");
            assert!(moved.subprotocols().is_empty(), "{location}");
        }
        assert_eq!(request.redirected("https://h/b").unwrap().url(), "wss://h/b");
        // Credentials that the server chose are not sent.
        assert!(!request.redirected("http://x:y@other/").unwrap().headers().contains_key(AUTHORIZATION));
        assert!(matches!(request.redirected("ftp://h/"), Err(UrlError::Scheme(_))));
    }

    #[test]
    fn a_redirect_within_the_origin_keeps_everything() {
        let request = secretive();
        for location in
            ["/b?c", "b?c", "./x/../b?c#f", "//h/b?c", "ws://h:80/b?c", "http://h/b?c", "http://x:y@h/b?c"]
        {
            let same = request.redirected(location).unwrap();
            assert_eq!(same.url(), "ws://h/b?c");
            assert_eq!(same.headers(), request.headers(), "{location}");
            assert_eq!(same.subprotocols(), request.subprotocols(), "{location}");
        }
    }
}
