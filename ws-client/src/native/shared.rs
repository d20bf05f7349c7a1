//! The client with default options, which the free functions share.

use std::sync::OnceLock;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::Client;
use crate::error::ConnectError;
use crate::negotiated::Opened;
use crate::request::Request;
use ws_core::SettingError;

/// Opens a WebSocket at `url` with the default [`Options`](crate::Options).
///
/// # Errors
/// [`ConnectError`].
#[doc(alias("connect_async", "connect_async_with_config", "dial", "client"))]
pub async fn connect(url: impl TryInto<Request, Error: Into<ConnectError>>) -> Result<Opened, ConnectError> {
    shared()?.connect(url).await
}

/// Performs the opening handshake on a stream that is already connected, and encrypted if it is to be, with the
/// default [`Options`](crate::Options).
///
/// # Errors
/// [`ConnectError`].
#[doc(alias("client_async", "from_raw_socket"))]
pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    request: impl TryInto<Request, Error: Into<ConnectError>>,
    stream: S,
) -> Result<Opened<S>, ConnectError> {
    shared()?.handshake(request, stream).await
}

/// The client behind the free functions.
fn shared() -> Result<&'static Client, SettingError> {
    static SHARED: OnceLock<Client> = OnceLock::new();
    match SHARED.get() {
        Some(client) => Ok(client),
        None => {
            let client = Client::new()?;
            Ok(SHARED.get_or_init(|| client))
        }
    }
}
