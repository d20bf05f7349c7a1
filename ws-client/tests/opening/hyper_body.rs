//! The body of a refusal that comes through an HTTP client of hyper's, frame by frame and in its own time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Response};
use hyper::body::{Body, Frame};
use ws_client::{ConnectError, Options};

/// Frames of a body, each ready only when it is asked for a second time.
struct Slow {
    frames: VecDeque<Frame<&'static [u8]>>,
    asked: bool,
}

impl Body for Slow {
    type Data = &'static [u8];
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        self.asked = !self.asked;
        if self.asked {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.frames.pop_front().map(Ok))
    }
}

/// What is kept of a body of these frames.
async fn kept(limit: usize, frames: impl IntoIterator<Item = Frame<&'static [u8]>>) -> (Vec<u8>, bool) {
    let mut options = Options::default();
    options.max_refusal_body = limit;
    let body = Slow { frames: frames.into_iter().collect(), asked: false };
    let send = async |_| Ok::<_, Infallible>(Response::builder().status(403).body(body).unwrap());
    let error = options.build().unwrap().upgrade("ws://example.com/", send).await.unwrap_err();
    let ConnectError::Refused(refused) = error else { panic!("{error}") };
    (refused.response.into_body(), refused.body_complete)
}

#[tokio::test]
async fn a_body_that_arrives_later_is_waited_for() {
    let frames = || [&b"ab"[..], b"cde"].map(Frame::data);
    assert_eq!(kept(5, frames()).await, (b"abcde".to_vec(), true));
    assert!(kept(100, frames().into_iter().chain([Frame::trailers(HeaderMap::new())])).await.1);
}

#[tokio::test]
async fn a_body_of_several_frames_is_cut_off_at_the_limit() {
    let frames = || [&b"ab"[..], b"cde", b"fgh"].map(Frame::data);
    assert_eq!(kept(3, frames()).await, (b"abc".to_vec(), false));
    assert_eq!(kept(5, frames()).await, (b"abcde".to_vec(), false));
    assert_eq!(kept(0, frames()).await, (Vec::new(), false));
}
