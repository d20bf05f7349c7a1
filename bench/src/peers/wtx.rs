use tokio::net::TcpStream;
use wtx::collection::Vector;
use wtx::rng::Xorshift64;
use wtx::web_socket::{OpCode, WebSocket, WebSocketAcceptor, WebSocketBuffer, WebSocketPayloadOrigin};

use super::Socket;

pub async fn echo(stream: impl Socket) -> anyhow::Result<()> {
    let buffer = WebSocketBuffer::new();
    let mut websocket = WebSocket::<_, _, _, _, false>::new((), false, Xorshift64::new(1), stream, buffer);
    let (mut common, mut reader, mut writer) = websocket.split_mut();
    let mut message = Vector::new();
    loop {
        let mut frame =
            reader.read_frame(&mut message, &mut common, WebSocketPayloadOrigin::Adaptive).await?;
        match frame.op_code() {
            OpCode::Text | OpCode::Binary => writer.write_frame(&mut common, &mut frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
        message.clear();
    }
}

pub async fn shake_hands(stream: TcpStream) -> anyhow::Result<()> {
    let mut websocket = WebSocketAcceptor::default().accept(stream).await?;
    let _ = websocket.read_frame(&mut Vector::new(), WebSocketPayloadOrigin::Adaptive).await;
    Ok(())
}
