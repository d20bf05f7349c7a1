//! Many tasks at one Sender, at full speed over loopback: in order, in turn, and about as fast as one task.
//!
//! `cargo test --release --features tokio --test shared_sender -- --nocapture` prints the figures.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use ws_core::{Config, Connection, Message, Sender, WebSocket};

const TASKS: usize = 64;
const TOTAL: usize = if cfg!(debug_assertions) { 64 * 150 } else { 64 * 3000 };
const ROUNDS: usize = if cfg!(debug_assertions) { 3 } else { 7 };

async fn pair() -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    (
        WebSocket::new(near, Connection::client(Arc::new(Config::client()), [1; 32]), &[]),
        WebSocket::new(far, Connection::server(Arc::new(Config::server())), &[]),
    )
}

fn message(task: usize, n: usize) -> Message {
    let mut bytes = vec![0; 64];
    bytes[..2].copy_from_slice(&(task as u16).to_be_bytes());
    bytes[2..6].copy_from_slice(&(n as u32).to_be_bytes());
    Message::binary(bytes)
}

/// Receives all; at each tenth of the way no task is more than twice as far as another.
async fn receive(mut socket: WebSocket<TcpStream>, tasks: usize) {
    let mut next = vec![0usize; tasks];
    for count in 1..=TOTAL {
        let message = socket.recv().await.unwrap().unwrap();
        let bytes = message.as_bytes();
        let task = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let n = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]) as usize;
        assert_eq!(n, next[task], "task {task} is out of order");
        next[task] += 1;
        if count.is_multiple_of(TOTAL / 10) {
            let (min, max) = (next.iter().min().unwrap(), next.iter().max().unwrap());
            assert!(*max <= 2 * *min, "a task starves after {count}: from {min} to {max}");
        }
    }
}

/// How long `tasks` tasks take to get all messages across.
async fn round(tasks: usize) -> Duration {
    let (client, server) = pair().await;
    let (sender, receiver) = client.split();
    let receiving = tokio::spawn(receive(server, tasks));
    let discarding = tokio::spawn(receiver.discard());
    let begun = Instant::now();
    let send = |sender: Sender, task: usize| async move {
        for n in 0..TOTAL / tasks {
            let message = message(task, n);
            if tasks == 1 { sender.feed(message).await.unwrap() } else { sender.send(message).await.unwrap() }
        }
        sender.flush().await.unwrap();
    };
    for task in 0..tasks {
        tokio::spawn(send(sender.clone(), task));
    }
    receiving.await.unwrap();
    let taken = begun.elapsed();
    discarding.abort();
    taken
}

#[tokio::test]
async fn sixty_four_tasks_share_a_sender_in_turn_and_nearly_as_fast_as_one() {
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        one.push(round(1).await);
        many.push(round(TASKS).await);
    }
    one.sort();
    many.sort();
    let (one, many) = (one[ROUNDS / 2], many[ROUNDS / 2]);
    let rate = |taken: Duration| TOTAL as f64 / taken.as_secs_f64();
    let ratio = rate(many) / rate(one);
    println!("one task with feed {:.0}/s, {TASKS} with send {:.0}/s: {ratio:.2}", rate(one), rate(many));
    // Without optimisation only gross faults show.
    let least = if cfg!(debug_assertions) { 0.2 } else { 0.8 };
    assert!(ratio >= least, "{TASKS} tasks reach only {ratio:.2} of the throughput of one");
}
