//! The answers of the suite to requests of a client other than cases: one text message, then a Close without a body.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    native::{
        frame::text,
        play::{Patience, Program, converse},
        script::Delivery,
        session::Session,
    },
    role::Role,
};

/// Sends the message, unless it is empty, and closes the connection.
pub(crate) async fn answer<S: AsyncRead + AsyncWrite>(stream: S, message: &str, patience: Patience) {
    let mut session = Session::new(Role::Client, None);
    if !message.is_empty() {
        session.send(&text(message), Delivery::Joined);
    }
    session.close(Vec::new());
    converse(stream, &[], &mut session, &mut Nothing, patience).await;
}

/// The client need only close the connection.
struct Nothing;

impl Program for Nothing {}
