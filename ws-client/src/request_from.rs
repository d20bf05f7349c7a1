//! Requests from text and URLs, on every target.

#[cfg(feature = "url")]
use url::Url;

#[cfg(target_arch = "wasm32")]
use crate::browser::Request;
#[cfg(not(target_arch = "wasm32"))]
use crate::request::Request;
use crate::request_error::UrlError;

impl TryFrom<&str> for Request {
    type Error = UrlError;

    fn try_from(url: &str) -> Result<Self, UrlError> {
        Self::new(url)
    }
}

impl TryFrom<String> for Request {
    type Error = UrlError;

    fn try_from(url: String) -> Result<Self, UrlError> {
        Self::new(&url)
    }
}

impl TryFrom<&String> for Request {
    type Error = UrlError;

    fn try_from(url: &String) -> Result<Self, UrlError> {
        Self::new(url)
    }
}

#[cfg(feature = "url")]
impl TryFrom<Url> for Request {
    type Error = UrlError;

    fn try_from(url: Url) -> Result<Self, UrlError> {
        Self::new(url.as_str())
    }
}

#[cfg(feature = "url")]
impl TryFrom<&Url> for Request {
    type Error = UrlError;

    fn try_from(url: &Url) -> Result<Self, UrlError> {
        Self::new(url.as_str())
    }
}

impl From<&Request> for Request {
    fn from(request: &Request) -> Self {
        request.clone()
    }
}
