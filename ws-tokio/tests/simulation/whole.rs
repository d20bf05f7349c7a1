//! An end that is not split: one task does everything.

use ws_core::{CloseCode, DataType, Message};
use ws_tokio::{Error, WebSocket};

use super::chance::Chance;
use super::ledger::Fate;
use super::plan::Ending;
use super::transport::Transport;
use super::world::{Got, World, cancellable};

pub async fn run(world: World, end: usize, mut socket: WebSocket<Transport>, mut chance: Chance) {
    let plan = world.plan.ends[end].clone();
    for n in 0..plan.messages {
        match plan.ending {
            Ending::DropAfter(after) if after == n => return drop(socket),
            Ending::CloseAfter(after) if after == n => break,
            _ => {}
        }
        if chance.one_in(3) && world.receive(end, &mut socket, &mut chance, 1).await == Got::End {
            break;
        }
        if chance.one_in(6)
            && cancellable(&mut chance, 2, socket.ping(b"there?")).await.is_some_and(|r| r.is_err())
        {
            break;
        }
        let last = n + 1 == plan.messages;
        let (index, message) = world.ledger.borrow_mut().next(end, 0, &mut chance, plan.max_size, last);
        world.trace(&[b's', end as u8, index as u8]);
        let cancel = if last { 0 } else { plan.cancel };
        let fate = match send(&world, end, &mut socket, &message, &mut chance, cancel).await {
            Some(Ok(())) => Fate::Sent,
            Some(Err(_)) | None => Fate::Unknown,
        };
        world.ledger.borrow_mut().settle(end, 0, index, fate);
        let (used, limit) = (socket.memory_usage().total(), plan.max_memory());
        assert!(used <= limit, "end {end} uses {used} bytes, over the limit of {limit}");
        if socket.close_info().is_some() {
            break;
        }
    }
    finish(world, end, socket, chance).await;
}

/// Sends a message one way or another. `None` if it may or may not be queued.
async fn send(
    world: &World,
    end: usize,
    socket: &mut WebSocket<Transport>,
    message: &Message,
    chance: &mut Chance,
    cancel: usize,
) -> Option<Result<(), Error>> {
    match chance.below(4) {
        0 => {
            // A feed that is dropped has queued nothing, so it can be repeated.
            loop {
                if let Some(fed) = cancellable(chance, cancel, socket.feed(message.clone())).await {
                    break Some(fed);
                }
            }
        }
        1 => {
            let bytes = message.as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                let to = at + 1 + chance.below(bytes.len() - at);
                let last = to == bytes.len() && chance.one_in(2);
                if let Err(error) = socket.send_piece(message.data_type(), &bytes[at..to], last).await {
                    return Some(Err(error));
                }
                if last {
                    return Some(Ok(()));
                }
                at = to;
                // Both directions go on between pieces. Only for a while: the peer may be inside a message too, and
                // two senders that wait for the end of each other's message never continue.
                match chance.below(6) {
                    0 => _ = world.receive_whole(end, socket, chance, 1).await,
                    1 => _ = socket.ping(b"between").await,
                    _ => {}
                }
            }
            Some(socket.send_piece(message.data_type(), b"", true).await)
        }
        _ => {
            let sent = cancellable(chance, cancel, socket.send(message.clone())).await;
            if matches!(message.data_type(), DataType::Text) && sent.is_some() && chance.one_in(3) {
                let _ = cancellable(chance, cancel, socket.flush()).await;
            }
            sent
        }
    }
}

/// What comes after the last message.
pub async fn finish(world: World, end: usize, mut socket: WebSocket<Transport>, mut chance: Chance) {
    let plan = world.plan.ends[end].clone();
    match plan.ending {
        Ending::DropAfter(_) => return drop(socket),
        Ending::CloseAfter(_) => {}
        Ending::CloseWhenDone | Ending::Wait => {
            let until_done = plan.ending == Ending::CloseWhenDone;
            while !(until_done && world.ledger.borrow().is_done(1 - end)) {
                if world.receive(end, &mut socket, &mut chance, plan.cancel).await == Got::End {
                    break;
                }
            }
        }
    }
    if plan.ending != Ending::Wait {
        // A close that is dropped can be taken up again.
        while cancellable(&mut chance, plan.cancel, socket.close(code(end), "done")).await.is_none() {}
    }
    if let Some(info) = socket.close_info().filter(|info| info.is_clean()) {
        let by_code = info.received == Some(code(1 - end));
        let as_it_ended = match socket.recv().await {
            Ok(None) => !by_code,
            Err(Error::Closed(_)) => by_code,
            _ => false,
        };
        assert!(as_it_ended, "end {end} returns another outcome after its end: {info}");
    }
    world.settle(end, socket.close_info());
}

/// The code that an end closes with.
pub fn code(end: usize) -> CloseCode {
    CloseCode(4000 + end as u16)
}
