//! What a server runs: functions for WebSockets, for plain requests, and guards before both.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::transport::stream::WebSocket;
use crate::web::request::Request;
use crate::web::response::Response;

/// A function that is given each open WebSocket of an endpoint: `async fn(WebSocket)` or
/// `async fn(WebSocket, Request)`, returning nothing or a `Result<(), E>`. When it returns, the WebSocket is closed if it
/// is still open: with 1000, or with 1011 and a warning in the log after an error. One that it has moved to another task
/// stays open.
///
/// `Args` distinguishes the two; it is inferred. Take the [`Request`] only if it is needed: as an argument
/// it lives as long as the connection.
///
/// A closure can pass state to it. It is called once for each WebSocket, so each call clones what the future keeps:
///
/// ```
/// use std::sync::Arc;
/// use ws_server::{Error, Server, WebSocket};
///
/// async fn greet(mut socket: WebSocket, greeting: Arc<str>) -> Result<(), Error> {
///     socket.send(&*greeting).await
/// }
///
/// let greeting: Arc<str> = "hello".into();
/// let builder = Server::builder().route("/", move |socket| greet(socket, greeting.clone()));
/// # let _ = builder;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of WebSockets",
    label = "expected `async fn(WebSocket)` or `async fn(WebSocket, Request)`",
    note = "the function must be async, take `ws_server::WebSocket` by value (and, as a second argument, `ws_server::Request`), and return `()` or `Result<(), E>`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `ws_server::Error` and `Box<dyn Error + Send + Sync>` do; `Box<dyn Error>` does not",
    note = "its future must be `Send`: hold no `Rc`, `RefCell` guard or std `MutexGuard` across an `.await`"
)]
pub trait Handler<Args>: Send + Sync + 'static {
    /// Starts the handler.
    fn call(&self, websocket: WebSocket, request: Request) -> HandlerFuture;
}

/// A running handler: ends with what the log should say, if it failed.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

impl<F, Fut> Handler<(WebSocket,)> for F
where
    F: Fn(WebSocket) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    fn call(&self, websocket: WebSocket, request: Request) -> HandlerFuture {
        drop(request);
        boxed(self(websocket))
    }
}

impl<F, Fut> Handler<(WebSocket, Request)> for F
where
    F: Fn(WebSocket, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    fn call(&self, websocket: WebSocket, request: Request) -> HandlerFuture {
        boxed(self(websocket, request))
    }
}

/// A handler's future, whose outcome is in one form.
pub(crate) fn boxed<F>(running: F) -> HandlerFuture
where
    F: Future<Output: Outcome> + Send + 'static,
{
    Box::pin(InOneForm { running })
}

pin_project! {
    /// See [`boxed`]. An async block that awaits the future would keep it twice, as what it captures and as what it
    /// awaits, for as long as the connection is open.
    struct InOneForm<F> {
        #[pin]
        running: F,
    }
}

impl<F: Future<Output: Outcome>> Future for InOneForm<F> {
    type Output = Result<(), Box<dyn Error + Send + Sync>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().running.poll(context).map(Outcome::outcome)
    }
}

/// What a handler may return: `()`, or a `Result<(), E>` whose error converts into `Box<dyn Error + Send + Sync>`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    note = "a handler returns `()` or `Result<(), E>` where `E` converts into `Box<dyn Error + Send + Sync>`; `Box<dyn Error>` does not"
)]
pub trait Outcome {
    /// The outcome in one form.
    ///
    /// # Errors
    /// The handler's own.
    fn outcome(self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A [`Handler`] whose type has been forgotten.
pub(crate) type AnyHandler = Arc<dyn Fn(WebSocket, Request) -> HandlerFuture + Send + Sync>;

/// Answers a request before, or instead of, an upgrade.
pub(crate) type AnyGuard = Arc<dyn Fn(Request) -> BoxFuture<Result<Request, Response>> + Send + Sync>;

/// Answers a request that asks for no WebSocket.
pub(crate) type AnyPage = Arc<dyn Fn(Request) -> BoxFuture<Response> + Send + Sync>;

pub(crate) fn any_handler<Args>(handler: impl Handler<Args>) -> AnyHandler {
    Arc::new(move |websocket, request| handler.call(websocket, request))
}

pub(crate) fn any_guard<F, Fut>(guard: F) -> AnyGuard
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Request, Response>> + Send + 'static,
{
    Arc::new(move |request| Box::pin(guard(request)))
}

pub(crate) fn any_page<F, Fut>(page: F) -> AnyPage
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    Arc::new(move |request| Box::pin(page(request)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn wait(room: Box<[u8]>) -> Result<(), std::io::Error> {
        let rooms = [const { Vec::<u8>::new() }; 100];
        tokio::task::yield_now().await;
        drop((room, rooms));
        Ok(())
    }

    #[test]
    fn the_future_of_a_handler_is_boxed_once() {
        let running = wait(Box::default());
        let own = size_of_val(&running);
        let boxed = size_of_val(&*boxed(running));
        assert!(boxed <= own + 8, "{boxed} bytes for a future of {own}");
    }
}
