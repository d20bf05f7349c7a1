use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite};

use super::*;

/// A proxy's end: each step is readable at once, or only when something has been written.
enum Step {
    Unasked(&'static [u8]),
    Answer(&'static [u8]),
}
use Step::{Answer, Unasked};

struct Script {
    steps: VecDeque<Step>,
    /// Whether something was written since the last answer.
    asked: bool,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.steps.pop_front() {
            Some(Answer(bytes)) if !self.asked => {
                self.steps.push_front(Answer(bytes));
                return Poll::Pending;
            }
            Some(Answer(bytes) | Unasked(bytes)) => {
                let (fits, rest) = bytes.split_at(bytes.len().min(buf.remaining()));
                buf.put_slice(fits);
                if !rest.is_empty() {
                    self.steps.push_front(Unasked(rest));
                }
            }
            None if self.asked => {}
            None => return Poll::Pending,
        }
        self.asked = false;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.asked = true;
        self.written.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What comes of asking this proxy, and all that it was sent.
async fn tunnel(proxy: &str, steps: Vec<Step>) -> (Result<(), ProxyError>, Vec<u8>) {
    let written = Arc::default();
    let script = Script { steps: steps.into(), asked: false, written: Arc::clone(&written) };
    let mut stream = Stream::custom(script);
    let result = Proxy::new(proxy).unwrap().tunnel(&mut stream, Host::Domain("h"), 80, None).await;
    let written = written.lock().unwrap().clone();
    (result, written)
}

const METHOD: &[u8] = &[5, 0];
const PASSWORD_METHOD: &[u8] = &[5, 2];
const ACCEPTED: &[u8] = &[1, 0];
const REPLY: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const OK: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

#[tokio::test]
async fn requested_answers_of_a_proxy_open_the_tunnel() {
    assert!(tunnel("socks5h://p", vec![Answer(METHOD), Answer(REPLY)]).await.0.is_ok());
    let steps = vec![Answer(PASSWORD_METHOD), Answer(ACCEPTED), Answer(REPLY)];
    assert!(tunnel("socks5h://u:p@p", steps).await.0.is_ok());
    let pieces = vec![Answer(&[5]), Unasked(&[0]), Answer(&[5, 0, 0, 3, 1]), Unasked(b"x\0\0")];
    assert!(tunnel("socks5h://p", pieces).await.0.is_ok());
    assert!(tunnel("http://p", vec![Answer(OK)]).await.0.is_ok());
}

#[tokio::test]
async fn unsolicited_bytes_of_a_proxy_are_an_error() {
    let surplus: &[u8] = b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    for (proxy, steps, sent) in [
        ("socks5h://p", vec![Unasked(METHOD), Answer(REPLY)], 0),
        ("socks5h://p", vec![Answer(surplus)], 3),
        ("socks5h://p", vec![Answer(METHOD), Unasked(REPLY)], 3),
        ("socks5h://p", vec![Answer(METHOD), Answer(b"\x05\0\0\x01\0\0\0\0\0\0HTTP/1.1 101 X")], 11),
        ("socks5h://u:p@p", vec![Answer(PASSWORD_METHOD), Unasked(ACCEPTED), Answer(REPLY)], 4),
        ("socks5h://u:p@p", vec![Answer(b"\x05\x02\x01\x00"), Answer(REPLY)], 4),
        ("socks5h://u:p@p", vec![Answer(PASSWORD_METHOD), Answer(b"\x01\0\x05\0"), Answer(REPLY)], 9),
        ("http://p", vec![Unasked(OK)], 0),
        ("http://u:p@p", vec![Answer(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 X")], usize::MAX),
    ] {
        let (result, written) = tunnel(proxy, steps).await;
        assert!(matches!(result, Err(ProxyError::Early)), "{proxy}: {result:?}");
        // Nothing goes to a proxy that has shown itself to be none, credentials least of all.
        assert!(written.len() == sent || sent == usize::MAX, "{proxy}: {written:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_ends_before_it_is_asked_is_a_broken_connection() {
    let (result, written) = tunnel("socks5h://p", vec![Unasked(b"")]).await;
    assert!(matches!(result, Err(ProxyError::Io(_))) && written.is_empty(), "{result:?}");
}

#[tokio::test]
async fn a_socks5_proxy_that_refuses_the_credentials_gets_no_request() {
    for status in [&[1u8, 1][..], &[1, 0xFF], &[1, 5]] {
        let steps = vec![Answer(PASSWORD_METHOD), Answer(status), Answer(REPLY)];
        let (result, written) = tunnel("socks5h://u:p@p", steps).await;
        assert!(matches!(result, Err(ProxyError::CredentialsRefused { .. })), "{status:?}: {result:?}");
        assert_eq!(written, b"\x05\x02\x00\x02\x01\x01u\x01p", "{status:?}");
    }
    let (result, _) = tunnel("socks5h://u:p@p", vec![Answer(PASSWORD_METHOD), Answer(&[5, 0])]).await;
    assert!(matches!(result, Err(ProxyError::NotSocks)), "{result:?}");
    let (result, _) = tunnel("socks5h://u:p@p", vec![Answer(&[5, 0xFF])]).await;
    assert!(matches!(result, Err(ProxyError::NoMethod)), "{result:?}");
}

#[tokio::test]
async fn eight_interim_responses_of_a_proxy_are_passed_over_and_a_ninth_is_not() {
    const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let interims = |count| std::iter::once(Answer(INTERIM)).chain((1..count).map(|_| Unasked(INTERIM)));
    let (result, _) = tunnel("http://p", interims(8).chain([Unasked(OK)]).collect()).await;
    assert!(result.is_ok(), "{result:?}");
    // Without an end of them.
    for steps in [interims(9).chain([Unasked(OK)]).collect(), interims(10_000).collect()] {
        let (result, _) = tunnel("http://p", steps).await;
        assert!(matches!(result, Err(ProxyError::TooManyInterim { limit: 8 })), "{result:?}");
    }
    // It answers an Upgrade, which CONNECT is not.
    let (result, _) = tunnel("http://p", vec![Answer(b"HTTP/1.1 101 X\r\n\r\n"), Unasked(OK)]).await;
    assert!(matches!(result, Err(ProxyError::Refused(StatusCode::SWITCHING_PROTOCOLS))), "{result:?}");
}

#[test]
fn the_length_of_a_socks5_reply_follows_from_its_type_of_address() {
    let length = |received: &[u8]| reply_length(received).unwrap();
    assert_eq!((length(&[5, 0, 0, 1]), length(&[5, 0, 0, 4])), (Some(10), Some(22)));
    assert_eq!((length(&[5, 0, 0, 3]), length(&[5, 0, 0, 3, 7])), (None, Some(14)));
    assert_eq!((length(&[]), length(&[5, 0, 0])), (None, None));
    assert!(matches!(reply_length(&[5, 0, 0, 2]), Err(ProxyError::NotSocks)));
    assert!(matches!(reply_length(&[5, 4]), Err(ProxyError::SocksReply(4))));
}
