//! The sample `feed`: every update for pages that keep up, the latest ones for pages that do not.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::Instant;
use ws_client::WebSocket;

use crate::process::{Sample, soon};

/// The updates that were received for each sensor.
#[derive(Default)]
struct Seen {
    last: [Option<u64>; 5],
    received: u64,
    conflated: u64,
}

impl Seen {
    fn update(&mut self, text: &str) {
        let mut fields = text.split(' ');
        let Some(sensor) = fields.next().and_then(|sensor| sensor.parse::<usize>().ok()) else { return };
        let number: u64 = fields.next().unwrap().parse().unwrap();
        let value: f64 = fields.next().unwrap().parse().unwrap();
        assert!((-1.0..=1.0).contains(&value), "{text}");
        if let Some(last) = self.last[sensor].replace(number) {
            assert!(number > last, "sensor {sensor}: {number} after {last}");
            self.conflated += number - last - 1;
        }
        self.received += 1;
    }

    fn newest(&self) -> u64 {
        self.last.iter().flatten().copied().max().unwrap_or(0)
    }
}

async fn receive(socket: &mut WebSocket, seen: &mut Seen) {
    let message = soon(socket.recv()).await.unwrap().unwrap();
    seen.update(message.as_text().unwrap());
}

#[tokio::test]
async fn a_page_that_keeps_up_gets_a_thousand_updates_a_second_and_misses_none() {
    let sample = Sample::start("feed", &[]);
    let mut socket = sample.open("/feed").await;
    let (mut seen, began) = (Seen::default(), Instant::now());
    while seen.received < 3000 {
        receive(&mut socket, &mut seen).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(seen.conflated, 0);
    // Slightly more is possible at first, because the producer makes up for delays.
    assert!((2.0..10.0).contains(&seconds), "3,000 updates took {seconds} s");
}

#[tokio::test]
async fn a_page_that_is_simulated_as_slow_gets_fewer_updates_ending_with_the_latest_and_other_pages_get_all()
{
    let sample = Sample::start("feed", &[]);
    let (mut slow, mut quick) = (sample.open("/feed").await, sample.open("/feed").await);
    slow.send("slow").await.unwrap();
    let (mut of_slow, mut of_quick) = (Seen::default(), Seen::default());
    while of_slow.conflated < 1000 {
        tokio::select! {
            () = receive(&mut slow, &mut of_slow) => {}
            () = receive(&mut quick, &mut of_quick) => {}
        }
    }
    assert_eq!(of_quick.conflated, 0);
    assert!(of_slow.received < of_quick.received / 2, "{} and {}", of_slow.received, of_quick.received);

    slow.send("quick").await.unwrap();
    // After some time there is a second in which no update is conflated.
    let mut since = (of_slow.conflated, of_slow.received);
    while of_slow.received - since.1 < 1000 {
        receive(&mut slow, &mut of_slow).await;
        if of_slow.conflated > since.0 {
            since = (of_slow.conflated, of_slow.received);
        }
    }
}

/// Without the message `slow`: the peer has a small receive buffer and does not read for a while.
#[tokio::test]
async fn a_page_that_did_not_read_gets_the_latest_value_of_each_sensor_and_delays_no_other_page() {
    let sample = Sample::start("feed", &[]);
    let mut quick = sample.open("/feed").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut idle = socket.connect(sample.host().parse().unwrap()).await.unwrap();
    let request = format!(
        "GET /feed HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        sample.host()
    );
    idle.write_all(request.as_bytes()).await.unwrap();

    // The server reports how many updates it has conflated: `s pages delivered dropped`.
    let mut of_quick = Seen::default();
    let conflating = async {
        loop {
            let message = quick.recv().await.unwrap().unwrap();
            let text = message.as_text().unwrap();
            of_quick.update(text);
            if text.strip_prefix("s 2 ").is_some_and(|rest| !rest.ends_with(" 0")) {
                return;
            }
        }
    };
    soon(conflating).await;
    assert_eq!(of_quick.conflated, 0, "the other page is not affected");
    let newest = of_quick.newest();

    let mut seen = Seen::default();
    let catching_up = async {
        while idle.read_u8().await.unwrap() != b'\n' || idle.read_u16().await.unwrap() != 0x0D0A {}
        while seen.last.iter().any(|last| last.is_none_or(|last| last < newest)) {
            assert_eq!(idle.read_u8().await.unwrap(), 0x81);
            let length = idle.read_u8().await.unwrap();
            let mut text = vec![0; usize::from(length)];
            idle.read_exact(&mut text).await.unwrap();
            seen.update(std::str::from_utf8(&text).unwrap());
        }
    };
    soon(catching_up).await;
    assert!(seen.conflated > 0);
}
