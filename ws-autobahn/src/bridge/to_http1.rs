//! HTTP/2 in, HTTP/1.1 out.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use http::{Request, Response, StatusCode};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    Counts, DATA_FRAME_BUDGET, WINDOW, connect, heads,
    relay::{read_head, relay},
};
use crate::native::handshake::Head;

pub(super) async fn run(listener: TcpListener, server: SocketAddr, counts: Arc<Counts>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((tcp, _)) = accepted else { continue };
                let counts = Arc::clone(&counts);
                tasks.spawn(async move {
                    let _ = connection(tcp, server, counts).await;
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn connection(tcp: TcpStream, server: SocketAddr, counts: Arc<Counts>) -> Result<(), h2::Error> {
    let _ = tcp.set_nodelay(true);
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    builder.data_frame_budget(DATA_FRAME_BUDGET).enable_connect_protocol();
    let mut connection = builder.handshake(tcp).await?;
    counts.connections.fetch_add(1, Relaxed);
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted?;
                let counts = Arc::clone(&counts);
                streams.spawn(async move { serve(request, respond, server, &counts).await });
            }
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn serve(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    server: SocketAddr,
    counts: &Counts,
) {
    let (text, key) = match heads::request_to_http1(&request, server) {
        Ok(translated) => translated,
        Err(reason) => return refuse(respond, StatusCode::NOT_IMPLEMENTED, reason),
    };
    let answered = match ask(server, &text).await {
        Ok((tcp, head, first)) => heads::response_to_http2(&head, &key).map(|answer| (tcp, answer, first)),
        Err(e) => Err(e.to_string()),
    };
    let (tcp, answer, first) = match answered {
        Ok(answered) => answered,
        Err(reason) => return refuse(respond, StatusCode::BAD_GATEWAY, reason),
    };
    if answer.status().is_success() {
        counts.websockets.fetch_add(1, Relaxed);
    }
    if let Ok(send) = respond.send_response(answer, false) {
        relay(tcp, first, send, request.into_body()).await;
    }
}

async fn ask(server: SocketAddr, text: &str) -> io::Result<(TcpStream, Head, Vec<u8>)> {
    let mut tcp = connect(server).await?;
    tcp.write_all(text.as_bytes()).await?;
    let (head, first) = read_head(&mut tcp).await?;
    Ok((tcp, head, first))
}

fn refuse(mut respond: SendResponse<Bytes>, status: StatusCode, reason: String) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    if let Ok(mut send) = respond.send_response(response, false)
        && send.send_data(Bytes::from(reason), true).is_err()
    {
        send.send_reset(Reason::INTERNAL_ERROR);
    }
}
