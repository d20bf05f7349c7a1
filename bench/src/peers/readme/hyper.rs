//! fastwebsockets and yawc leave the opening handshake to hyper: each by the echo server of its examples.

use std::convert::Infallible;

use anyhow::Result;
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError, upgrade};
use futures::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use yawc::{CompressionLevel, Options};

use super::Socket;
use crate::service::Service;

pub async fn fastwebsockets(stream: impl Socket) -> Result<()> {
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(upgrade_fast));
    Ok(connection.with_upgrades().await?)
}

async fn upgrade_fast(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, future) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async move { tokio::task::unconstrained(handle_fast(future)).await });
    Ok(response)
}

async fn handle_fast(future: upgrade::UpgradeFut) -> Result<(), WebSocketError> {
    let mut websocket = FragmentCollector::new(future.await?);
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            _ => {}
        }
    }
}

pub async fn yawc(stream: impl Socket, service: Service) -> Result<()> {
    let upgrade = service_fn(move |request| upgrade_yawc(request, service));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), upgrade);
    Ok(connection.with_upgrades().await?)
}

async fn upgrade_yawc(
    mut request: Request<Incoming>,
    service: Service,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    // The limit of its defaults is 1 MiB, and a little less than a compressed message of the rig inflates to.
    let mut options = Options::default().with_utf8().with_max_payload_read(2 << 20);
    if let Some(level) = service.deflate {
        options = options.with_compression_level(CompressionLevel::new(level));
    }
    match yawc::WebSocket::upgrade_with_options(&mut request, options) {
        Ok((response, future)) => {
            tokio::spawn(async move {
                let mut websocket = future.await?;
                while let Some(frame) = websocket.next().await {
                    if matches!(frame.opcode(), yawc::OpCode::Text | yawc::OpCode::Binary) {
                        websocket.send(frame).await?;
                    }
                }
                Result::<()>::Ok(())
            });
            Ok(response)
        }
        Err(_) => Ok(Response::new(Empty::new())),
    }
}
