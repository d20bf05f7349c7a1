//! Panics of handlers, guards and pages end where they are called.

use std::any::Any;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Calls a function, at once, and waits for the future it returns; a panic in either is an error with its text.
pub(crate) fn caught<T>(call: impl FnOnce() -> BoxFuture<T>) -> Caught<T> {
    // Nothing of the callee is used after a panic, so nothing half-changed can be seen.
    Caught(catch_unwind(AssertUnwindSafe(call)).map_err(text))
}

/// See [`caught`].
pub(crate) struct Caught<T>(Result<BoxFuture<T>, String>);

impl<T> Future for Caught<T> {
    type Output = Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let running = match &mut self.0 {
            Ok(running) => running,
            Err(text) => return Poll::Ready(Err(mem::take(text))),
        };
        match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                let text = text(panic);
                // Drops what is left of it.
                self.0 = Err(String::new());
                Poll::Ready(Err(text))
            }
        }
    }
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
