use futures::io::{BufReader, BufWriter};
use soketto::connection::Builder;
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use soketto::{Data, Mode};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::Socket;

pub async fn echo(stream: impl Socket) -> anyhow::Result<()> {
    let stream = BufReader::new(BufWriter::new(stream.compat()));
    let (mut sender, mut receiver) = Builder::new(stream, Mode::Server).finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        match receiver.receive_data(&mut message).await? {
            Data::Text(_) => sender.send_text(std::str::from_utf8(&message)?).await?,
            Data::Binary(_) => sender.send_binary_mut(&mut message).await?,
        }
        sender.flush().await?;
    }
}

pub async fn shake_hands(stream: TcpStream) -> anyhow::Result<()> {
    let mut server = Server::new(BufReader::new(BufWriter::new(stream.compat())));
    let key = server.receive_request().await?.key();
    server.send_response(&Response::Accept { key, protocol: None }).await?;
    let (_sender, mut receiver) = server.into_builder().finish();
    receiver.receive_data(&mut Vec::new()).await?;
    Ok(())
}
