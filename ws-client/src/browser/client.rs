//! A client in a browser: options that open any number of WebSockets.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use ws_core::SettingError;

use super::connect_error::ConnectError;
use super::negotiated::{Negotiated, Opened};
use super::options::Options;
use super::request::Request;
use super::socket::Socket;
use super::timer::Sleep;
use super::websocket::WebSocket;

/// Opens WebSockets, and opens them again ([`reconnect`](Self::reconnect)). It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    options: Arc<Options>,
}

/// Opens a WebSocket at `url` with the default [`Options`].
///
/// # Errors
/// [`ConnectError`].
#[doc(alias("connect_async", "dial", "client"))]
pub async fn connect(url: impl TryInto<Request, Error: Into<ConnectError>>) -> Result<Opened, ConnectError> {
    Client::new()?.connect(url).await
}

impl Options {
    /// Checks the settings and makes the client.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that is not possible, with its value and why.
    pub fn build(self) -> Result<Client, SettingError> {
        self.check()?;
        Ok(Client { options: Arc::new(self) })
    }
}

impl Client {
    /// Returns a client with the default [`Options`].
    ///
    /// # Errors
    /// [`SettingError`], never for the defaults.
    pub fn new() -> Result<Self, SettingError> {
        Options::default().build()
    }

    /// Returns the settings that the client was built with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Opens a WebSocket, within [`Options::opening_timeout`]. `request` is a URL or a [`Request`]. If the future is dropped
    /// the attempt ends.
    ///
    /// # Errors
    /// [`ConnectError`].
    #[doc(alias("connect_async", "connect_async_with_config"))]
    pub async fn connect(
        &self,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Opened, ConnectError> {
        let request = request.try_into().map_err(Into::into)?;
        let socket = Socket::open(&request, &self.options.connection)?;
        let after = self.options.opening_timeout;
        let mut timeout = pin!(Sleep::new(after));
        let opened = poll_fn(|cx| match socket.poll_open(cx) {
            Poll::Ready(opened) => Poll::Ready(Some(opened)),
            Poll::Pending => timeout.as_mut().poll(cx).map(|()| None),
        })
        .await;
        match opened {
            Some(true) => {
                let negotiated = Negotiated::new(&socket);
                Ok((WebSocket::new(Rc::new(socket)), negotiated))
            }
            Some(false) => Err(ConnectError::Failed { authority: request.authority() }),
            None => Err(ConnectError::Timeout { authority: request.authority(), after }),
        }
    }
}
