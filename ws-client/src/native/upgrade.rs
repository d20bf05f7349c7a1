//! The opening handshake through an HTTP client of hyper.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::pin;

use http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Buf as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use ws_core::handshake::{HandshakeError, Refused};
use ws_tokio::Exclusive;

use crate::attempt::Attempt;
use crate::client::Client;
use crate::error::ConnectError;
use crate::negotiated::Opened;
use crate::opening::{BODY_PATIENCE, Failure};
use crate::request::Request;
use crate::stream::Stream;

impl Client {
    /// Performs the opening handshake through an HTTP client of hyper, on a connection that this client has or makes.
    ///
    /// `send` receives the request as it is to be sent: a path, `Host` and all other fields. A client that dials by
    /// the URI, such as that of `hyper_util`, requires an absolute one: `send` can set it. A connection that is used
    /// directly, as below, must be driven by `with_upgrades`, so that hyper releases it.
    ///
    /// Dialling, proxies, TLS, redirects and the limits of the response head are up to that client. Of the
    /// [`Options`](crate::Options) these apply: `connection`, `deflate`, `opening_timeout` for the whole call,
    /// `max_refusal_body`, and `nodelay` if hyper has a TCP stream without a layer around it. The scheme of the URL
    /// changes nothing but the default port. It is HTTP/1.1 only: HTTP/2 has no `Upgrade`.
    ///
    /// ```no_run
    /// # async fn example(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use http_body_util::Empty;
    /// use hyper_util::rt::TokioIo;
    ///
    /// let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    /// tokio::spawn(connection.with_upgrades());
    /// let client = ws_client::Client::new()?;
    /// let send = |request: http::Request<()>| sender.send_request(request.map(|()| Empty::<&[u8]>::new()));
    /// let (mut socket, _negotiated) = client.upgrade("ws://example.com/chat", send).await?;
    /// socket.send("hello").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]. An error of `send` is [`ConnectError::Io`]; a connection that hyper does not release is
    /// [`ConnectError::Custom`], because it is a mistake of the program.
    #[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
    pub async fn upgrade<F, Fut, B, E>(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
        send: F,
    ) -> Result<Opened, ConnectError>
    where
        F: FnOnce(http::Request<()>) -> Fut,
        Fut: Future<Output = Result<Response<B>, E>>,
        B: Body,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut attempt = self.attempt(request)?;
        // Boxed, so that the future of the whole connection is not as large as that of its opening.
        let result = timeout_at(attempt.deadline, Box::pin(attempt.upgrade(send))).await;
        attempt.finish(result)
    }
}

impl Attempt<'_> {
    async fn upgrade<F, Fut, B, E>(&mut self, send: F) -> Result<Opened, ConnectError>
    where
        F: FnOnce(http::Request<()>) -> Fut,
        Fut: Future<Output = Result<Response<B>, E>>,
        B: Body,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let handshake = self.prepare()?;
        let broke = |error| self.failed(Failure::Io(io::Error::other(error)));
        let mut sent = handshake.request();
        hide(&self.request, sent.headers_mut());
        let answer = send(sent).await.map_err(|error| broke(error.into()))?;
        let (mut parts, body) = answer.into_parts();
        let handed_over = parts.extensions.remove::<OnUpgrade>();
        let established = match handshake.judge(Response::from_parts(parts, ())) {
            Ok(established) => established,
            Err(HandshakeError::Refused(mut refused)) => {
                read_body(&mut refused, body, self.max_refusal_body(), self.deadline).await;
                return Err(self.failed(Failure::Handshake(HandshakeError::Refused(refused))));
            }
            Err(error) => return Err(self.failed(Failure::Handshake(error))),
        };
        let Some(handed_over) = handed_over else { return Err(kept()) };
        let (stream, received) = match handed_over.await {
            Ok(upgraded) => self.split(upgraded),
            // This is the only error of an upgrade that hyper classes as the user's.
            Err(error) if error.is_user() => return Err(kept()),
            Err(error) => return Err(broke(error.into())),
        };
        self.opened(stream, &received, established)
    }

    /// The stream, and what hyper has read of it: the socket itself where it is TCP and nothing else.
    fn split(&self, upgraded: Upgraded) -> (Stream, Vec<u8>) {
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (self.tcp(parts.io.into_inner()), parts.read_buf.into()),
            Err(upgraded) => (Stream::custom(Exclusive::new(TokioIo::new(upgraded))), Vec::new()),
        }
    }
}

/// Reads as much of a refusal's body as arrives in time: the status is returned without it, too.
async fn read_body(refused: &mut Refused, body: impl Body, limit: usize, deadline: Instant) {
    let deadline = deadline.min(Instant::now() + BODY_PATIENCE);
    let mut body = pin!(body);
    let mut read = Vec::new();
    refused.body_complete = loop {
        match timeout_at(deadline, body.frame()).await {
            Ok(None) => break true,
            Ok(Some(Ok(frame))) => {
                let Ok(mut data) = frame.into_data() else { continue };
                let length = data.remaining().min(limit - read.len());
                read.extend_from_slice(&data.copy_to_bytes(length));
                if data.has_remaining() {
                    break false;
                }
            }
            Ok(Some(Err(_))) | Err(_) => break false,
        }
    };
    *refused.response.body_mut() = read;
}

/// Marks the secrets of the request in the copy for `send` as well, so that no debug output shows them there.
fn hide(request: &Request, sent: &mut HeaderMap) {
    for (name, value) in sent.iter_mut() {
        value.set_sensitive(request.headers().get_all(name).iter().any(HeaderValue::is_sensitive));
    }
}

/// The error for a server that has agreed while hyper keeps the connection for HTTP.
fn kept() -> ConnectError {
    let message = "the server opened a WebSocket, but hyper keeps the connection: \
                   spawn `connection.with_upgrades()` instead of `connection`";
    ConnectError::custom(message, true)
}
