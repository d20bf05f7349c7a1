//! The signals that end a server. A program of its own: signals go to the whole process.
#![cfg(all(unix, feature = "signal"))]
#![allow(clippy::unwrap_used)]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::Command;
use std::task::Poll;

#[tokio::test]
async fn sigterm_and_sigint_are_awaited_and_end_the_waiting() {
    for signal in ["TERM", "INT"] {
        let mut ended = pin!(ws_server::shutdown_signal());
        // From the first poll on signals no longer end the process.
        assert!(poll_fn(|cx| Poll::Ready(ended.as_mut().poll(cx).is_pending())).await, "nothing has come");
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} $PPID")]).status().unwrap();
        assert!(sent.success());
        tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.expect(signal);
    }
}
