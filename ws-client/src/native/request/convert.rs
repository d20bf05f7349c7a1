//! Requests from the types of `http`.

use http::{Method, Uri, Version};
use ws_core::handshake::RequestError;

use super::Request;
use crate::error::ConnectError;
use crate::request_error::UrlError;

impl TryFrom<Uri> for Request {
    type Error = UrlError;

    fn try_from(uri: Uri) -> Result<Self, UrlError> {
        Self::new(&uri.to_string())
    }
}

impl TryFrom<&Uri> for Request {
    type Error = UrlError;

    fn try_from(uri: &Uri) -> Result<Self, UrlError> {
        Self::new(&uri.to_string())
    }
}

/// The request is a template: its URI, which has to be absolute, and its header fields are used, and its extensions are
/// not. `Sec-WebSocket-Key`, `Sec-WebSocket-Version`, `Upgrade` and `Connection` are added when the request is sent, so the
/// template must not have them; subprotocols are offered by [`Request::subprotocol`].
impl TryFrom<http::Request<()>> for Request {
    type Error = ConnectError;

    fn try_from(template: http::Request<()>) -> Result<Self, ConnectError> {
        let (parts, ()) = template.into_parts();
        // RFC 6455 section 4.1, item 2.
        if parts.method != Method::GET {
            return Err(RequestError::Method(parts.method).into());
        }
        if parts.version != Version::HTTP_11 {
            return Err(RequestError::Version(parts.version).into());
        }
        let mut request = Self::try_from(parts.uri)?;
        for (name, value) in &parts.headers {
            request = request.header(name, value)?;
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, HeaderValue};

    use super::*;
    use crate::request_error::HeaderError;

    fn template() -> http::request::Builder {
        http::Request::builder().uri("wss://u:p@h:9/a?b")
    }

    #[test]
    fn every_kind_of_address_gives_the_same_request() {
        let text = "wss://h:9/a?b";
        let uri = text.parse::<Uri>().unwrap();
        let requests = [
            Request::try_from(text),
            Request::try_from(text.to_owned()),
            Request::try_from(&text.to_owned()),
            Request::try_from(&uri),
            Request::try_from(uri),
        ];
        for request in requests {
            assert_eq!(request.unwrap().url(), text);
        }
        #[cfg(feature = "url")]
        {
            let url = text.parse::<url::Url>().unwrap();
            assert_eq!(Request::try_from(&url).unwrap().url(), text);
            assert_eq!(Request::try_from(url).unwrap().url(), text);
        }
        assert_eq!(Request::try_from(Uri::from_static("/path")).unwrap_err(), UrlError::NoScheme);
        let http = Uri::from_static("https://h/");
        assert_eq!(Request::try_from(http).unwrap_err(), UrlError::Http { found: "https", instead: "wss" });
    }

    #[test]
    fn an_http_request_is_a_template() {
        let mut hidden = HeaderValue::from_static("s3cret");
        hidden.set_sensitive(true);
        let template =
            template().header("x-a", "1").header("X-A", "2").header("x-odd", hidden).header("cookie", "c=1");
        let request = Request::try_from(template.body(()).unwrap()).unwrap();
        assert_eq!(request.url(), "wss://h:9/a?b");
        assert!(request.headers()[AUTHORIZATION].is_sensitive(), "from the URL");
        assert_eq!(request.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert!(request.headers()["x-odd"].is_sensitive() && request.headers()["cookie"].is_sensitive());
        let sent = request.template().unwrap();
        assert_eq!(
            (sent.uri().to_string(), &sent.headers()["host"]),
            ("/a?b".into(), &HeaderValue::from_static("h:9"))
        );
    }

    #[test]
    fn what_a_template_must_not_have_is_an_error_that_names_it() {
        let error =
            |template: http::request::Builder| Request::try_from(template.body(()).unwrap()).unwrap_err();
        for (name, todo) in [
            ("sec-websocket-key", "leave it out"),
            ("sec-websocket-version", "leave it out"),
            ("upgrade", "leave it out"),
            ("connection", "leave it out"),
            ("sec-websocket-protocol", "offer it with `Request::subprotocol`"),
            ("content-length", "a handshake has no body"),
        ] {
            let error = error(template().header(name, "x"));
            assert!(matches!(&error, ConnectError::Header(HeaderError::Owned { .. })), "{error}");
            assert!(error.to_string().contains(name) && error.to_string().contains(todo), "{error}");
        }
        let posted = error(template().method("POST"));
        assert!(matches!(&posted, ConnectError::Request(RequestError::Method(_))), "{posted}");
        let newer = error(template().version(Version::HTTP_2));
        assert!(matches!(&newer, ConnectError::Request(RequestError::Version(_))), "{newer}");
        let relative = error(http::Request::builder().uri("/a").header("host", "h"));
        assert!(matches!(relative, ConnectError::Url(UrlError::NoScheme)), "{relative}");
    }
}
