//! The credentials of a request: what guards need to check them safely.
//!
//! The methods of [`Request`] read a credential from where its scheme has it: [`bearer_token`](Request::bearer_token),
//! [`basic_credentials`](Request::basic_credentials), [`cookie`](Request::cookie), and, for pages of a browser, which cannot add
//! header fields, [`take_subprotocol_token`](Request::take_subprotocol_token). [`Tickets`] are good once and for a while,
//! [`is_same_secret`] compares, and [`first_message`] waits for a credential in the first message. The
//! [how-to](crate::how_to::authenticate) has an example for each.

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, COOKIE};
use tokio::time::timeout;
use ws_core::handshake::visible_ascii;
use ws_core::{CloseCode, Message};
use ws_tokio::Error;

use crate::transport::stream::WebSocket;
use crate::web::request::Request;
pub use crate::web::tickets::Tickets;

/// The user name and the password of a request with the scheme `Basic` (RFC 7617). Its `Debug` output has neither.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BasicCredentials {
    /// The user name; it has no colon.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").finish_non_exhaustive()
    }
}

/// Whether a secret that a client has sent is the expected one. How long this takes says how long both are, and not where
/// they differ: with `==` a client could learn a secret byte by byte.
///
/// ```
/// use ws_server::auth::is_same_secret;
///
/// assert!(is_same_secret("letmein", "letmein"));
/// assert!(!is_same_secret("letmeim", "letmein"));
/// ```
#[must_use]
pub fn is_same_secret(given: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) -> bool {
    let (given, expected) = (given.as_ref(), expected.as_ref());
    let pairs = given.iter().zip(expected);
    // Hidden from the compiler, which might leave the loop at the first difference.
    let difference = pairs.fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    given.len() == expected.len() && difference == 0
}

/// Receives the first message of a WebSocket, which is to have the client's credential; `None` if the connection is closed
/// without one. If none has come by the deadline the connection is closed with 1008, and it is `None` too. Pings do not put
/// the deadline off.
///
/// ```
/// use std::time::Duration;
/// use ws_server::auth::{first_message, is_same_secret};
/// use ws_server::{CloseCode, Error, Message, WebSocket};
///
/// async fn chat(mut socket: WebSocket) -> Result<(), Error> {
///     let Some(first) = first_message(&mut socket, Duration::from_secs(5)).await? else { return Ok(()) };
///     if !is_same_secret(first.as_bytes(), "letmein") {
///         socket.close(CloseCode::POLICY_VIOLATION, "not signed in").await?;
///         return Ok(());
///     }
///     socket.send("welcome").await
/// }
/// # ws_server::Endpoint::new(chat);
/// ```
///
/// # Errors
/// As [`WebSocket::recv`](ws_tokio::WebSocket::recv).
pub async fn first_message(socket: &mut WebSocket, deadline: Duration) -> Result<Option<Message>, Error> {
    match timeout(deadline, socket.recv()).await {
        Ok(received) => received,
        Err(_) => {
            socket.close(CloseCode::POLICY_VIOLATION, "no first message came in time").await?;
            Ok(None)
        }
    }
}

/// # Credentials
impl Request {
    /// Returns the token of `Authorization: Bearer TOKEN` (RFC 6750 section 2.1). `None` where the field has another scheme,
    /// or there is more than one such field.
    #[doc(alias = "jwt")]
    pub fn bearer_token(&self) -> Option<&str> {
        self.authorization("Bearer")
    }

    /// Returns the user name and the password of `Authorization: Basic` (RFC 7617). `None` where the field has another
    /// scheme or is malformed, or there is more than one such field.
    #[doc(alias = "basic_auth")]
    pub fn basic_credentials(&self) -> Option<BasicCredentials> {
        let decoded = STANDARD.decode(self.authorization("Basic")?).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        // RFC 7617 §2: a user name has no colon, a password may have some.
        let (username, password) = decoded.split_once(':')?;
        Some(BasicCredentials { username: username.to_owned(), password: password.to_owned() })
    }

    /// Returns the value of the first cookie of that name (RFC 6265 section 5.4), over all fields: HTTP/2 has one for each cookie.
    ///
    /// A browser sends the cookies of its user with the request of every page, so a cookie says nothing unless the
    /// [`Origin`](crate::OriginPolicy) is checked, as it is by default.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let fields = self.head().values(&COOKIE).filter_map(visible_ascii);
        let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(found, value)| (found.trim() == name).then(|| value.trim()))
    }

    /// For a guard: takes the token out of the subprotocols that the client has offered, and returns it: the rest of the first one
    /// that begins with `prefix`. A page, which cannot add header fields, passes a token so, beside a real subprotocol:
    ///
    /// ```js
    /// new WebSocket(url, ["chat.v1", "bearer." + token]);
    /// ```
    ///
    /// Afterwards no such entry is [offered](Self::offered_subprotocols) or chosen, nor is it in the field
    /// `Sec-WebSocket-Protocol`, so that it is not sent back and nothing that shows the request shows it. A token consists
    /// of the characters that RFC 9110 section 5.6.2 allows in a token: base64url without padding does. The
    /// [endpoint](crate::Endpoint::subprotocols) has to name the real subprotocol, because a browser fails a connection for
    /// which none is chosen.
    pub fn take_subprotocol_token(&mut self, prefix: &str) -> Option<String> {
        let found = self.offered_subprotocols().iter().find_map(|entry| entry.strip_prefix(prefix))?;
        let found = found.to_owned();
        self.retain_offered(|entry| !entry.starts_with(prefix));
        Some(found)
    }

    /// The credentials of `Authorization` (RFC 9110 section 11.6.2), if the scheme is this one.
    fn authorization(&self, scheme: &str) -> Option<&str> {
        let mut fields = self.head().values(&AUTHORIZATION);
        let (Some(field), None) = (fields.next(), fields.next()) else { return None };
        let (found, credentials) = visible_ascii(field)?.split_once(' ')?;
        let credentials = credentials.trim();
        // RFC 9110 §11.1: schemes are compared without regard to case.
        (found.eq_ignore_ascii_case(scheme) && !credentials.is_empty()).then_some(credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::peer::Peer;

    fn request(fields: &[(&str, &str)]) -> Request {
        let mut head = http::Request::get("/");
        for (name, value) in fields {
            head = head.header(*name, *value);
        }
        Request::new(head.body(()).unwrap(), Peer::new(None))
    }

    #[test]
    fn a_secret_is_the_same_only_if_every_byte_and_the_length_are() {
        assert!(is_same_secret("", "") && is_same_secret("secret", "secret"));
        for other in ["", "s", "secre", "secrets", "Secret", "secreT", "sEcret"] {
            assert!(!is_same_secret(other, "secret") && !is_same_secret("secret", other), "{other}");
        }
    }

    #[test]
    fn a_bearer_token_is_read_from_one_field_of_its_scheme() {
        let token = |fields: &[(&str, &str)]| request(fields).bearer_token().map(str::to_owned);
        assert_eq!(token(&[("authorization", "Bearer a.b-c")]).as_deref(), Some("a.b-c"));
        assert_eq!(token(&[("authorization", "bEARER  a")]).as_deref(), Some("a"));
        for fields in [
            &[][..],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Basic a")],
            &[("authorization", "Bearera b")],
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
        ] {
            assert_eq!(token(fields), None, "{fields:?}");
        }
    }

    #[test]
    fn basic_credentials_are_a_name_without_a_colon_and_a_password() {
        let basic = |value: &str| request(&[("authorization", value)]).basic_credentials();
        // RFC 7617 §2 and §2.1.
        let aladdin = basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!((&*aladdin.username, &*aladdin.password), ("Aladdin", "open sesame"));
        assert_eq!(basic("Basic dGVzdDoxMjPCow==").unwrap().password, "123£");
        assert_eq!(basic("basic YTpiOmM=").unwrap().password, "b:c");
        assert_eq!(format!("{aladdin:?}"), "BasicCredentials { .. }");
        for malformed in ["Basic", "Basic QWxhZGRpbg==", "Basic /w==", "Basic !", "Bearer YTpi"] {
            assert_eq!(basic(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_cookie_is_found_in_any_field_by_its_whole_name() {
        let request = request(&[("cookie", "a=1; session=x=y ;b=2"), ("cookie", "last=3; session=late")]);
        let cookies = ["a", "session", "b", "last", "sess", "SESSION"].map(|name| request.cookie(name));
        assert_eq!(cookies, [Some("1"), Some("x=y"), Some("2"), Some("3"), None, None]);
    }

    #[test]
    fn a_token_among_the_subprotocols_is_taken_out_of_everything() {
        let mut request =
            request(&[("sec-websocket-protocol", "chat.v1, bearer.s3cret, bearer.again, other")]);
        let offered = ["chat.v1", "bearer.s3cret", "bearer.again", "other"].map(str::to_owned);
        request.set_offered(&offered, Some("bearer.s3cret"));
        assert_eq!(request.take_subprotocol_token("bearer.").as_deref(), Some("s3cret"));
        assert_eq!(request.offered_subprotocols(), ["chat.v1", "other"]);
        assert_eq!(request.subprotocol(), None);
        assert_eq!(request.header("sec-websocket-protocol"), Some("chat.v1, other"));
        assert_eq!(request.take_subprotocol_token("bearer."), None);
        assert_eq!(request.take_subprotocol_token("o").as_deref(), Some("ther"));
        assert_eq!(request.take_subprotocol_token("chat.").as_deref(), Some("v1"));
        assert_eq!(request.header("sec-websocket-protocol"), None);
        assert!(!format!("{:?}", request.into_http()).contains("s3cret"));
    }
}
