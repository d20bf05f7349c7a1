//! Panics of handlers, guards and pages end where they are called.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Calls a function and waits for the future it returns; a panic in either is an error with its text.
pub(crate) async fn caught<T>(call: impl FnOnce() -> BoxFuture<T>) -> Result<T, String> {
    // Nothing of the callee is used after a panic, so nothing half-changed can be seen.
    let future = catch_unwind(AssertUnwindSafe(call)).map_err(text)?;
    let mut future = Some(future);
    poll_fn(|context| {
        let Some(running) = &mut future else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                future = None;
                Poll::Ready(Err(text(panic)))
            }
        }
    })
    .await
}

fn text(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("(no text)").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panics_before_and_after_an_await_are_caught_with_their_text() {
        let early = caught(|| -> BoxFuture<()> { panic!("early") }).await;
        assert_eq!(early, Err("early".into()));
        let number = 7;
        let late = caught(|| {
            Box::pin(async move {
                tokio::task::yield_now().await;
                if number == 7 {
                    panic!("late {number}");
                }
            })
        });
        assert_eq!(late.await, Err("late 7".into()));
        assert_eq!(caught(|| Box::pin(async { 1 })).await, Ok(1));
    }
}
