//! HTTP/1.1 in, HTTP/2 out.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

use bytes::Bytes;
use h2::{RecvStream, SendStream, client::SendRequest};
use http::{Request, Response};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
};

use super::{
    Counts, DATA_FRAME_BUDGET, WINDOW, connect, heads,
    relay::{read_head, relay},
};

pub(super) async fn run(listener: TcpListener, server: SocketAddr, counts: Arc<Counts>) {
    let mut tasks = JoinSet::new();
    let mut link: Option<SendRequest<Bytes>> = None;
    loop {
        let tcp = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => tcp,
                Err(_) => continue,
            },
            Some(_) = tasks.join_next() => continue,
        };
        let open = match link.take() {
            Some(link) if !has_ended(link.clone()).await => Ok(link),
            _ => open_link(server, &mut tasks, &counts).await,
        };
        match open {
            Ok(requests) => {
                link = Some(requests.clone());
                let counts = Arc::clone(&counts);
                tasks.spawn(async move {
                    let _ = serve(tcp, requests, &counts).await;
                });
            }
            Err(e) => {
                tasks.spawn(async move {
                    let _ = refuse(tcp, &format!("the server cannot be reached over HTTP/2: {e}")).await;
                });
            }
        }
    }
}

/// Opens an HTTP/2 connection that permits WebSockets; its task is added to `tasks`.
async fn open_link(
    server: SocketAddr,
    tasks: &mut JoinSet<()>,
    counts: &Counts,
) -> io::Result<SendRequest<Bytes>> {
    let mut builder = h2::client::Builder::new();
    builder.enable_push(false).initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    builder.data_frame_budget(DATA_FRAME_BUDGET);
    let opened = builder.handshake(connect(server).await?).await;
    let (requests, connection) = opened.map_err(io::Error::other)?;
    let (permit, permitted) = oneshot::channel();
    let mut waiting = Some((requests.clone(), permit));
    tasks.spawn(async move {
        let mut connection = pin!(connection);
        poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx).map(|_| ());
            // RFC 8441 section 3: `:protocol` must not be sent before the server's settings permit it.
            if let Some((_, permit)) =
                waiting.take_if(|(requests, _)| requests.is_extended_connect_protocol_enabled())
            {
                let _ = permit.send(());
            }
            if polled.is_ready() {
                waiting = None;
            }
            polled
        })
        .await;
    });
    permitted.await.map_err(|_| io::Error::other("the connection ended without a permit for :protocol"))?;
    counts.connections.fetch_add(1, Relaxed);
    Ok(requests)
}

/// Whether the connection takes no further requests.
async fn has_ended(mut link: SendRequest<Bytes>) -> bool {
    poll_fn(|cx| Poll::Ready(matches!(link.poll_ready(cx), Poll::Ready(Err(_))))).await
}

async fn serve(mut tcp: TcpStream, requests: SendRequest<Bytes>, counts: &Counts) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let (head, first) = read_head(&mut tcp).await?;
    let (request, key) = match heads::request_to_http2(&head) {
        Ok(translated) => translated,
        Err(e) => return refuse(tcp, &e).await,
    };
    let (answer, send) = match ask(requests, request).await {
        Ok(answered) => answered,
        Err(e) => return refuse(tcp, &format!("no answer over HTTP/2: {e}")).await,
    };
    tcp.write_all(heads::response_to_http1(&answer, &key).as_bytes()).await?;
    if answer.status().is_success() {
        counts.websockets.fetch_add(1, Relaxed);
    }
    relay(tcp, first, send, answer.into_body()).await;
    Ok(())
}

async fn ask(
    requests: SendRequest<Bytes>,
    request: Request<()>,
) -> Result<(Response<RecvStream>, SendStream<Bytes>), h2::Error> {
    let (answer, send) = requests.ready().await?.send_request(request, false)?;
    Ok((answer.await?, send))
}

async fn refuse(mut tcp: TcpStream, reason: &str) -> io::Result<()> {
    let length = reason.len();
    let text =
        format!("HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{reason}");
    tcp.write_all(text.as_bytes()).await?;
    tcp.shutdown().await
}
