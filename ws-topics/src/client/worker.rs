//! The task of a client: a connection after another.

use std::ops::ControlFlow;
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
    (mut socket, _): Opened,
    commands: &mut mpsc::Receiver<Command>,
    state: &mut State,
) -> ControlFlow<()> {
    let mut silence = Silence::new();
    loop {
        if state.pending() > MAX_PENDING {
            return ControlFlow::Continue(());
        }
        while let Some(request) = state.next_request() {
            if socket.feed(Message::text(request.to_json())).await.is_err() {
                return ControlFlow::Continue(());
            }
        }
        tokio::select! {
            message = socket.recv() => match message {
                Ok(Some(message)) => {
                    silence.heard();
                    // What is no reply is of a later version of the subprotocol.
                    if let Some(reply) = message.as_text().and_then(|text| serde_json::from_str::<Reply>(text).ok()) {
                        state.received(reply);
                    }
                }
                Ok(None) | Err(_) => return ControlFlow::Continue(()),
            },
            command = commands.recv() => match command {
                Some(Command::Close) | None => {
                    let _ = socket.close(CloseCode::NORMAL_CLOSURE, "").await;
                    return ControlFlow::Break(());
                }
                Some(command) => state.command(command),
            },
            silent = silence.over() => match silent {
                Silent::Ask => state.ping(),
                Silent::GiveUp => return ControlFlow::Continue(()),
            },
        }
    }
}
