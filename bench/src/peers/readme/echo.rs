async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?; // queued: the next `recv` writes it
    }
    Ok(())
}
