//! Over a socket of the system's.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::consume_budget;
use tokio::time::timeout;

use super::*;

/// Longer than the wait after which a link is slow.
const PAUSE: Duration = Duration::from_millis(500);

/// A socket, and the other end, which is sent no more than it has room for: 64 KiB.
async fn pair() -> (SendAhead<TcpStream>, TcpStream) {
    let listening = TcpSocket::new_v4().unwrap();
    listening.set_recv_buffer_size(64 << 10).unwrap();
    listening.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = listening.listen(1).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (SendAhead::new(near), listener.accept().await.unwrap().0)
}

/// Sends messages until the link is seen to be fast.
async fn warm(near: &mut SendAhead<TcpStream>, far: &mut TcpStream) {
    let (message, mut received) = (vec![7; 1 << 20], vec![0; 1 << 20]);
    // The other end may not get the processor for a while.
    for _ in 0..1000 {
        if near.link.is_fast(system::now) {
            return;
        }
        let (sent, read) = tokio::join!(near.write_all(&message), far.read_exact(&mut received));
        sent.unwrap();
        read.unwrap();
    }
    panic!("loopback is slow");
}

/// Passes on to the writes of a socket, whose lengths it keeps.
struct Taken<'a>(&'a mut SendAhead<TcpStream>, Vec<usize>);

impl Taken<'_> {
    async fn write_all(&mut self, mut message: &[u8], vectored: bool) {
        while !message.is_empty() {
            let (begin, end) = message.split_at(message.len() / 3);
            let slices = [IoSlice::new(begin), IoSlice::new(&[]), IoSlice::new(end)];
            let taken = match vectored {
                true => self.0.write_vectored(&slices).await.unwrap(),
                false => self.0.write(message).await.unwrap(),
            };
            assert_eq!(system::get(&self.0.socket), Some(LITTLE), "for nothing but a large write");
            self.1.push(taken);
            message = &message[taken..];
        }
    }
}

#[tokio::test]
async fn on_a_fast_link_a_large_write_is_taken_but_for_its_end() {
    let (mut near, mut far) = pair().await;
    let message: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    for vectored in [false, true] {
        let mut received = vec![0; message.len()];
        let mut most = 0;
        for _ in 0..1000 {
            warm(&mut near, &mut far).await;
            let mut taken = Taken(&mut near, Vec::new());
            let sending = taken.write_all(&message, vectored);
            let (_, read) = tokio::join!(sending, far.read_exact(&mut received));
            read.unwrap();
            assert!(received == message, "another message");
            most = most.max(taken.1.into_iter().max().unwrap());
            if most == message.len() - REST {
                break;
            }
        }
        assert_eq!(most, message.len() - REST, "{vectored}");
    }
}

#[tokio::test]
async fn the_end_of_a_large_write_waits_for_the_rest_and_a_long_wait_makes_the_link_slow() {
    let (mut near, mut far) = pair().await;
    warm(&mut near, &mut far).await;
    let (message, mut received) = (vec![7; 500_000], vec![0; 500_000]);
    {
        let mut sending = pin!(near.write_all(&message));
        // The other end does not read: most of it is taken, and not all.
        timeout(PAUSE, &mut sending).await.unwrap_err();
        let (sent, read) = tokio::join!(sending, far.read_exact(&mut received));
        sent.unwrap();
        read.unwrap();
    }
    assert!(!near.link.is_fast(system::now));
    warm(&mut near, &mut far).await;
}

/// A socket that keeps the option at each write, and whether that was taken.
struct Watched(TcpStream, Vec<(Option<u32>, bool)>);

impl std::os::fd::AsFd for Watched {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(context, bytes);
        let limit = system::get(&self.0);
        self.1.push((limit, written.is_ready()));
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[tokio::test]
async fn the_write_that_ends_a_long_wait_takes_little_however_fast_the_link_was_before() {
    let (near, mut far) = pair().await;
    let mut near = SendAhead::new(Watched(near.socket, Vec::new()));
    near.link.refused(Duration::ZERO);
    near.link.took(Duration::ZERO);
    let (message, mut received) = (vec![7; 4 << 20], vec![0; 4 << 20]);
    let mut begun = 0;
    timeout(PAUSE, async {
        while begun < message.len() {
            begun += near.write(&message[begun..]).await.unwrap();
        }
    })
    .await
    .unwrap_err();
    assert_eq!(near.socket.1[0], (Some(MUCH), true));
    near.socket.1.clear();
    let (sent, read) = tokio::join!(near.write_all(&message[begun..]), far.read_exact(&mut received));
    sent.unwrap();
    read.unwrap();
    let taken = near.socket.1.iter().position(|(_, is_taken)| *is_taken).unwrap();
    for (limit, _) in &near.socket.1[..=taken] {
        assert_eq!(*limit, Some(LITTLE), "768 KiB more on a link that has stood still");
    }
}

#[tokio::test]
async fn a_refusal_for_lack_of_budget_proves_nothing_of_the_link() {
    let (mut near, _far) = pair().await;
    near.write_all(b"ready").await.unwrap();
    poll_fn(|context| {
        while has_budget_remaining() {
            let _ = pin!(consume_budget()).poll(context);
        }
        assert!(Pin::new(&mut near).poll_write(context, b"refused").is_pending());
        assert!(!near.link.waits());
        Poll::Ready(())
    })
    .await;
    near.write_all(b"taken").await.unwrap();
    assert!(!near.link.is_fast(system::now));
}

#[tokio::test]
async fn what_the_owner_of_a_socket_has_set_stays() {
    let (near, mut far) = pair().await;
    let mut near = SendAhead::untouched(near.socket);
    system::set(&near.socket, 100_000);
    let (message, mut received) = (vec![7; 1 << 20], vec![0; 1 << 20]);
    for is_prepared in [false, true] {
        if is_prepared {
            near = SendAhead::prepared(near.socket);
            near.link.refused(Duration::ZERO);
            near.link.took(Duration::ZERO);
            assert!(near.link.is_fast(system::now));
        }
        let (sent, read) = tokio::join!(near.write_all(&message), far.read_exact(&mut received));
        sent.unwrap();
        read.unwrap();
        assert_eq!(system::get(&near.socket), Some(100_000));
    }
}
