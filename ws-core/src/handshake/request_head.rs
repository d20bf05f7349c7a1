//! The head of a request, whose fields become a header map only when somebody asks for one.

use std::mem;
use std::sync::OnceLock;

use http::header::{self, HeaderMap, HeaderName};
use http::{Extensions, HeaderValue, Method, Uri, Version};

use super::field_lines::{FieldLines, Values};
use super::head_error::HeadError;
use super::origin::is_same_origin_or_absent;

/// The head of a request.
///
/// Its parts have the names that they have in [`http::Request`], which it can become. The header map is made when
/// [`headers`](Self::headers) is called for the first time: a server that reads the few fields that concern it with
/// [`values`](Self::values) does without it.
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    method: Method,
    uri: Uri,
    version: Version,
    extensions: Extensions,
    /// What `map` is made from.
    lines: FieldLines,
    /// All fields, once it is there.
    map: OnceLock<Box<HeaderMap>>,
}

impl RequestHead {
    /// A head without fields.
    pub(super) fn new(method: Method, uri: Uri, version: Version) -> Self {
        Self { method, uri, version, ..Self::default() }
    }

    /// Sets the fields.
    pub(super) fn set_lines(&mut self, lines: FieldLines) -> Result<(), HeadError> {
        self.lines = lines;
        // A header map has a limit.
        if self.lines.len() > CERTAINLY_FIT {
            self.map = OnceLock::from(Box::new(self.lines.to_headers()?));
        }
        Ok(())
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the target.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the values that callers have added.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns the values that callers have added, to change them.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// Returns the values of all field lines of that name, in order, without making a header map.
    ///
    /// ```
    /// use http::header::COOKIE;
    /// use ws_core::handshake::RequestHead;
    ///
    /// let head = RequestHead::from(http::Request::get("/").header(COOKIE, "a=1").body(())?);
    /// assert!(head.values(&COOKIE).eq([b"a=1"]));
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn values<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        match self.map.get() {
            Some(map) => Either::Map(map.get_all(name).into_iter()),
            None => Either::Lines(self.lines.values(name)),
        }
    }

    /// Whether there is a field of that name.
    pub fn has(&self, name: &HeaderName) -> bool {
        self.values(name).next().is_some()
    }

    /// Returns the host (and port, if one was given) that the request is addressed to, as
    /// [`effective_host`](super::effective_host) does.
    pub fn host(&self) -> Option<&str> {
        match self.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => self.values(&header::HOST).next().and_then(visible_ascii),
        }
    }

    /// Checks `Origin` as [`is_same_host_or_absent`](super::is_same_host_or_absent) does.
    pub fn is_same_host_or_absent(&self, secure: bool) -> bool {
        is_same_origin_or_absent(self.values(&header::ORIGIN), || self.host(), secure)
    }

    /// Returns all fields; the first call makes the header map.
    pub fn headers(&self) -> &HeaderMap {
        // Whatever has passed the scan can stand in a map.
        self.map.get_or_init(|| Box::new(self.lines.to_headers().unwrap_or_default()))
    }

    /// Takes all fields out; none are left.
    pub fn take_headers(&mut self) -> HeaderMap {
        let lines = mem::take(&mut self.lines);
        match self.map.take() {
            Some(map) => *map,
            None => lines.to_headers().unwrap_or_default(),
        }
    }

    /// Replaces all fields.
    pub fn set_headers(&mut self, headers: HeaderMap) {
        self.lines = FieldLines::default();
        self.map = OnceLock::from(Box::new(headers));
    }

    /// Returns the request as the crate `http` has it.
    pub fn into_request(mut self) -> http::Request<()> {
        let mut request = http::Request::new(());
        *request.headers_mut() = self.take_headers();
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.extensions_mut() = self.extensions;
        request
    }
}

impl From<http::Request<()>> for RequestHead {
    fn from(request: http::Request<()>) -> Self {
        let (parts, ()) = request.into_parts();
        Self {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            extensions: parts.extensions,
            lines: FieldLines::default(),
            map: OnceLock::from(Box::new(parts.headers)),
        }
    }
}

/// See [`RequestHead::values`].
enum Either<'a> {
    Map(header::ValueIter<'a, HeaderValue>),
    Lines(Values<'a>),
}

impl<'a> Iterator for Either<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Map(values) => values.next().map(HeaderValue::as_bytes),
            Self::Lines(values) => values.next(),
        }
    }
}

/// A value as text, if it is what [`HeaderValue::to_str`] returns as such.
pub fn visible_ascii(value: &[u8]) -> Option<&str> {
    let visible = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    std::str::from_utf8(value).ok().filter(|_| visible)
}

/// A header map takes more fields than this.
const CERTAINLY_FIT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::super::{HeadLimits, Opening, RequestReader};
    use super::*;

    fn read(fields: &str) -> RequestHead {
        let head = format!("GET /a HTTP/1.1\r\nHost: example.com\r\n{fields}\r\n");
        match RequestReader::new(HeadLimits { fields: 5000, bytes: 1 << 20, ..HeadLimits::server() })
            .receive(head.as_bytes())
        {
            Ok(Some((Opening::Plain(head), _))) => head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_read_without_a_map_are_those_of_the_map() {
        let fields = "X-A: 1\r\nCookie:a=b\r\nx-b: \t\r\nX-a:\t two \t\r\norigin: https://example.com\r\nX-Long: \u{fc}\r\n";
        let many: String = (0..2000).map(|line| format!("x{line}: {line}\r\n")).collect();
        for fields in [fields, "", &many] {
            let head = read(fields);
            let map = head.clone().into_request().into_parts().0.headers;
            for name in map.keys() {
                let of_map = map.get_all(name).into_iter().map(HeaderValue::as_bytes);
                assert!(head.values(name).eq(of_map), "{name}");
            }
            assert!(!head.has(&HeaderName::from_static("x")) && head.has(&header::HOST));
            assert_eq!((head.host(), head.uri().path()), (Some("example.com"), "/a"));
            assert!(head.is_same_host_or_absent(false));
            assert_eq!(head.headers(), &map);
        }
    }

    #[test]
    fn fields_that_are_replaced_take_the_place_of_those_that_came() {
        let mut head = read("a: 1\r\nb: 2\r\n");
        let mut headers = head.take_headers();
        assert_eq!((headers.len(), head.headers().len()), (3, 0));
        headers.remove("a");
        head.set_headers(headers);
        assert!(!head.has(&HeaderName::from_static("a")) && head.has(&HeaderName::from_static("b")));
        assert_eq!(head.into_request().headers().len(), 2);
    }
}
