//! The floor of HTTP/2: what no WebSocket on `h2` can be cheaper than.

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Accepts every extended CONNECT, and sends back what arrives, in one DATA frame what has arrived together.
pub async fn echo(stream: TlsStream<TcpStream>) -> Result<()> {
    let mut connection = Builder::new().enable_connect_protocol().handshake(stream).await?;
    while let Some(incoming) = connection.accept().await {
        let (request, respond) = incoming?;
        tokio::spawn(echo_stream(request, respond));
    }
    Ok(())
}

async fn echo_stream(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<()> {
    let mut send = respond.send_response(Response::new(()), false)?;
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let mut data = data?;
        if let Some(Some(more)) = body.data().now_or_never() {
            let mut all = BytesMut::from(data);
            all.extend_from_slice(&more?);
            while let Some(Some(more)) = body.data().now_or_never() {
                all.extend_from_slice(&more?);
            }
            data = all.freeze();
        }
        body.flow_control().release_capacity(data.len())?;
        // The peer's windows are the largest that there are.
        send.send_data(data, false)?;
    }
    Ok(())
}
