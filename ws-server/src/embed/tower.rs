//! An endpoint as a `tower::Service`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;

use crate::embed::websocket_hub::EndpointService;

/// Always ready; what is too much is answered with 503.
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
impl<B: Send + 'static> tower_service::Service<http::Request<B>> for EndpointService {
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let answering = self.answer(request);
        Box::pin(async move { Ok(answering.await.map(Full::new)) })
    }
}
