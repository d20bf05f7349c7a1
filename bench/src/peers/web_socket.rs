use tokio::io::{BufReader, BufWriter};
use web_socket::{DataType, Event, Frame, MessageType, WebSocket};

use super::Socket;
use crate::service::Service;

/// Large enough for a whole batch.
const BUFFER: usize = 64 << 10;

pub async fn echo(stream: impl Socket, service: Service) -> anyhow::Result<()> {
    if service.batch {
        let stream = BufReader::with_capacity(BUFFER, BufWriter::with_capacity(BUFFER, stream));
        let mut websocket = WebSocket::server(stream);
        loop {
            let Event::Data { ty: DataType::Complete(ty), data } = websocket.recv().await? else {
                return Ok(());
            };
            websocket.send(frame(ty, &data)?).await?;
            // Only once nothing more is at hand.
            if websocket.stream.buffer().is_empty() {
                websocket.flash().await?;
            }
        }
    }
    let mut websocket = WebSocket::server(BufReader::new(stream));
    loop {
        let Event::Data { ty: DataType::Complete(ty), data } = websocket.recv().await? else { return Ok(()) };
        websocket.send(frame(ty, &data)?).await?;
    }
}

fn frame(message_type: MessageType, data: &[u8]) -> anyhow::Result<Frame<'_>> {
    Ok(match message_type {
        // It leaves the check to its user.
        MessageType::Text => std::str::from_utf8(data)?.into(),
        MessageType::Binary => data.into(),
    })
}
