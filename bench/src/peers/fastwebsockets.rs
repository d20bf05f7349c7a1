use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};

use super::Socket;

pub async fn echo(stream: impl Socket) -> anyhow::Result<()> {
    let mut websocket = WebSocket::after_handshake(stream, Role::Server);
    websocket.set_auto_close(true);
    websocket.set_auto_pong(true);
    websocket.set_writev(true);
    let mut websocket = FragmentCollector::new(websocket);
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            _ => {}
        }
    }
}
