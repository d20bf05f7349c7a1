//! The request that a redirect leads to (RFC 9110 section 15.4).

use http::Response;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};

use super::Request;
use crate::error::ConnectError;
use crate::request_error::UrlError;

/// Where a refusal sends us, if it does.
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
    /// The same request at the place a redirect names. Secrets stay behind when the origin
    /// (scheme, host, port) changes: they were meant for the first one.
    fn redirected(&self, location: &str) -> Result<Self, UrlError> {
        let mut url = self.url.join(location).map_err(UrlError::Invalid)?;
        // A server names its HTTP address; the WebSocket lives at the same one.
        let scheme = match url.scheme() {
            "http" => "ws",
            "https" => "wss",
            other => other,
        }
        .to_owned();
        let _ = url.set_scheme(&scheme);
        // The fragment of a Location is for documents (RFC 9110 section 10.2.2).
        url.set_fragment(None);
        let mut next = Self::from_url(url)?;
        // Credentials in a Location are the redirecting server's choice, not the caller's.
        next.headers = self.headers.clone();
        if next.url.origin() != self.url.origin() {
            next.headers.remove(AUTHORIZATION);
            next.headers.remove(COOKIE);
            next.headers.remove(PROXY_AUTHORIZATION);
            next.headers.remove(http::header::HOST);
        }
        next.subprotocols = self.subprotocols.clone();
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_behind_when_a_redirect_leaves_the_origin() {
        let request = Request::new("ws://u:p@h/a").unwrap().header("cookie", "c=1").unwrap();
        let request = request.header("x-mine", "1").unwrap().header("proxy-authorization", "x").unwrap();

        let same = request.redirected("/b?c").unwrap();
        assert_eq!(same.url().as_str(), "ws://h/b?c");
        assert_eq!(same.headers(), request.headers());

        for location in ["https://h/b", "ws://h:81/a", "http://other/", "//other/x"] {
            let moved = request.redirected(location).unwrap();
            assert_eq!(moved.headers().len(), 1, "{location}");
            assert!(moved.headers().contains_key("x-mine"));
        }
        assert_eq!(request.redirected("https://h/b").unwrap().url().as_str(), "wss://h/b");
        // Credentials that the server chose are not sent.
        assert!(!request.redirected("http://x:y@other/").unwrap().headers().contains_key(AUTHORIZATION));
        assert!(matches!(request.redirected("ftp://h/"), Err(UrlError::Scheme(_))));
    }
}
