use std::sync::LazyLock;

use futures::{FutureExt, SinkExt, StreamExt};
use yawc::{CompressionLevel, DeflatePool, Frame, OpCode, Options, Role, WebSocket};

use super::Socket;
use crate::service::Service;

pub async fn echo(stream: impl Socket, service: Service) -> anyhow::Result<()> {
    // One pool for the server, as its documentation asks for without context takeover.
    static POOL: LazyLock<DeflatePool> = LazyLock::new(|| DeflatePool::new(64));
    let mut options = Options::default().with_utf8().with_max_payload_read(2 << 20);
    let mut extensions = None;
    if let Some(level) = service.deflate {
        options = options.with_compression_level(CompressionLevel::new(level));
        extensions = Some("permessage-deflate");
        if !service.takeover {
            options = options
                .server_no_context_takeover()
                .client_no_context_takeover()
                .with_deflate_pool(POOL.clone());
            extensions = Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
        }
    }
    let mut websocket = WebSocket::from_stream_with_extensions(stream, Role::Server, extensions, options)?;
    let is_data = |frame: &Frame| matches!(frame.opcode(), OpCode::Text | OpCode::Binary);
    while let Some(frame) = websocket.next().await {
        if !is_data(&frame) {
            continue;
        }
        if !service.batch {
            websocket.send(frame).await?;
            continue;
        }
        websocket.feed(frame).await?;
        while let Some(Some(frame)) = websocket.next().now_or_never() {
            if is_data(&frame) {
                websocket.feed(frame).await?;
            }
        }
        websocket.flush().await?;
    }
    Ok(())
}
