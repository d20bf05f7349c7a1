//! The task of a client: a connection after another.

use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;

use tokio::sync::mpsc;
use ws_client::{Opened, Reconnect};
use ws_core::{CloseCode, Message};

use super::MAX_CALLS;
use super::error::ClientError;
use super::runtime::{Silence, Silent};
use super::state::{Command, State};
use crate::v1::Reply;

/// With this many requests without an answer the connection is of no use.
const MAX_PENDING: usize = 4 * MAX_CALLS;

/// Runs until all users have gone, or there will be no connection.
pub(super) async fn run(mut connections: Reconnect, mut commands: mpsc::Receiver<Command>) {
    let mut state = State::default();
    loop {
        let opened = match open(&mut connections, &mut commands, &mut state).await {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(error) => return state.fail(&error),
        };
        state.connected();
        if serve(opened, &mut commands, &mut state).await.is_break() {
            return;
        }
        state.disconnected();
    }
}

/// Opens the next connection; `None` if the users have gone.
async fn open(
    connections: &mut Reconnect,
    commands: &mut mpsc::Receiver<Command>,
    state: &mut State,
) -> Result<Option<Opened>, ClientError> {
    loop {
        tokio::select! {
            opened = connections.next() => {
                let (socket, negotiated) = opened.map_err(|error| ClientError::Connect(Arc::new(error)))?;
                if negotiated.subprotocol() != Some(crate::SUBPROTOCOL) {
                    return Err(ClientError::NoSubprotocol);
                }
                return Ok(Some((socket, negotiated)));
            }
            command = commands.recv() => match command {
                Some(Command::Close) | None => return Ok(None),
                Some(command) => state.command(command),
            },
        }
    }
}

/// Uses a connection until it ends, or the users have gone: `Break`.
async fn serve(
    (socket, _): Opened,
    commands: &mut mpsc::Receiver<Command>,
    state: &mut State,
) -> ControlFlow<()> {
    let (sender, mut receiver) = socket.split();
    let mut silence = Silence::new();
    // Messages are received while one is sent: a server that takes no more requests until some of its messages have been received
    // would wait for this client, and this client for it.
    let mut sending = pin!(None);
    loop {
        if state.pending() > MAX_PENDING {
            return ControlFlow::Continue(());
        }
        if sending.is_none()
            && let Some(request) = state.next_request()
        {
            sending.set(Some(sender.feed(Message::text(request.to_json()))));
        }
        let next = async {
            tokio::select! {
                message = receiver.recv() => Next::Message(message),
                command = commands.recv() => Next::Command(command),
                silent = silence.over() => Next::Silent(silent),
            }
        };
        let next = tokio::select! {
            // First: what there is room for goes out in one write, which `recv` makes.
            biased;
            sent = end(sending.as_mut()) => Next::Sent(sent),
            next = next => next,
        };
        match next {
            Next::Sent(Ok(())) => sending.set(None),
            Next::Message(Ok(Some(message))) => {
                silence.heard();
                // What is no reply is of a later version of the subprotocol.
                if let Some(reply) =
                    message.as_text().and_then(|text| serde_json::from_str::<Reply>(text).ok())
                {
                    state.received(reply);
                }
            }
            Next::Sent(Err(_)) | Next::Message(Ok(None) | Err(_)) | Next::Silent(Silent::GiveUp) => {
                return ControlFlow::Continue(());
            }
            Next::Command(Some(Command::Close) | None) => {
                let _ = sender.close(CloseCode::NORMAL_CLOSURE, "").await;
                return ControlFlow::Break(());
            }
            Next::Command(Some(command)) => state.command(command),
            Next::Silent(Silent::Ask) => state.ping(),
        }
    }
}

/// What happens next on a connection.
enum Next {
    Sent(Result<(), ws_client::Error>),
    Message(Result<Option<Message>, ws_client::Error>),
    Command(Option<Command>),
    Silent(Silent),
}

/// The end of what is being sent, if anything is.
async fn end<F: Future>(sending: Pin<&mut Option<F>>) -> F::Output {
    match sending.as_pin_mut() {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}
