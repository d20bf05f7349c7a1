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

/// Receives all; at each tenth of the way no task is more than twice as far as another, if `fair`.
async fn receive(mut socket: WebSocket<TcpStream>, tasks: usize, fair: bool) {
    let mut next = vec![0usize; tasks];
    for count in 1..=TOTAL {
        let message = socket.recv().await.unwrap().unwrap();
        let bytes = message.as_bytes();
        let task = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let n = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]) as usize;
        assert_eq!(n, next[task], "task {task} is out of order");
        next[task] += 1;
        if fair && count.is_multiple_of(TOTAL / 10) {
            let (min, max) = (next.iter().min().unwrap(), next.iter().max().unwrap());
            assert!(*max <= 2 * *min, "a task starves after {count}: from {min} to {max}");
        }
    }
}

/// How long `tasks` tasks take to get all messages across, each waiting until its own is written or not.
async fn round(tasks: usize, wait: bool) -> Duration {
    let (client, server) = pair().await;
    let (sender, receiver) = client.split();
    // While there is room `feed` does not wait, and a task goes on until tokio stops it: over the few messages of
    // a build without optimisation that is no measure of fairness.
    let receiving = tokio::spawn(receive(server, tasks, wait || !cfg!(debug_assertions)));
    let discarding = tokio::spawn(receiver.discard());
    let begun = Instant::now();
    let send = |sender: Sender, task: usize| async move {
        for n in 0..TOTAL / tasks {
            let message = message(task, n);
            if wait { sender.send(message).await.unwrap() } else { sender.feed(message).await.unwrap() }
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
    let mut taken = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        taken[0].push(round(1, false).await);
        taken[1].push(round(TASKS, false).await);
        taken[2].push(round(TASKS, true).await);
    }
    let [one, many, waiting] = taken.map(|mut taken| {
        taken.sort();
        TOTAL as f64 / taken[ROUNDS / 2].as_secs_f64()
    });
    println!(
        "one task with feed {one:.0}/s, {TASKS} with feed {:.2} of it, with send {:.2}",
        many / one,
        waiting / one
    );
    // Without optimisation only gross faults show. `send` waits for the transport, message by message.
    let (least, least_waiting) = if cfg!(debug_assertions) { (0.2, 0.2) } else { (0.8, 0.8) };
    assert!(many >= least * one, "{TASKS} tasks reach only {:.2} of the throughput of one", many / one);
    assert!(waiting >= least_waiting * one, "{TASKS} tasks that wait reach only {:.2} of it", waiting / one);
}
