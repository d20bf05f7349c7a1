//! A proxy that can stop passing bytes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// Whether bytes pass.
    pub(crate) pass: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub(crate) async fn start(server: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let pass = Arc::new(watch::Sender::new(true));
        let control = Arc::clone(&pass);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&server).await else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(copy(near.0, far.1, control.subscribe()));
                tokio::spawn(copy(far.0, near.1, control.subscribe()));
            }
        });
        Ok(Self { address, pass })
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut pass: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if pass.wait_for(|pass| *pass).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
