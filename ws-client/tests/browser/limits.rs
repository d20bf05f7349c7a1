//! What is up to this crate in a browser: limits of what is received, with `WebSocketStream` and without it, and connecting
//! again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt as _};
use wasm_bindgen_test::wasm_bindgen_test;
use ws_client::{
    Backoff, CloseCode, Config, ConnectError, Error, Message, Options, Overflow, Request, UrlError, WebSocket,
};

use super::page::{Page, at, sleep, without_stream};
use super::scenarios::{Place as _, last_close};

const LIMIT: usize = 1 << 20;
/// 64 MiB, each message with its number first.
const COUNT: u32 = 16 << 10;
const CHUNK: usize = 64 << 10;

/// A connection to a server that sends all that at once, and then closes.
async fn flooded(overflow: Overflow) -> WebSocket {
    let config = Config::client().max_received(LIMIT).overflow(overflow);
    let client = Options::default().connection(config).build().unwrap();
    client.connect(format!("{}/flood?{COUNT}", Page.peer())).await.unwrap().0
}

/// A number that the server answers with.
async fn ask(path: &str) -> usize {
    let (mut ws, _) = ws_client::connect(format!("{}{path}", Page.peer())).await.unwrap();
    ws.recv().await.unwrap().unwrap().as_text().unwrap().parse().unwrap()
}

/// Waits for the end without receiving; returns by how many bytes the program's memory has grown meanwhile.
async fn stall(ws: &WebSocket) -> usize {
    let pages = core::arch::wasm32::memory_size::<0>();
    while ws.close_info().is_none() {
        sleep(Duration::from_millis(10)).await;
        assert!(ws.received() <= LIMIT, "{} bytes wait", ws.received());
    }
    (core::arch::wasm32::memory_size::<0>() - pages) << 16
}

fn number(message: &Message) -> u32 {
    u32::from_be_bytes(message.as_bytes()[..4].try_into().unwrap())
}

#[wasm_bindgen_test]
async fn a_flood_that_is_not_received_slows_the_server_where_the_browser_has_a_websocket_stream() {
    let mut ws = flooded(Overflow::Close).await;
    let pages = core::arch::wasm32::memory_size::<0>();
    // The server has come to a standstill: between two looks it sends nothing.
    let (mut before, mut standing) = (0, 0);
    while standing < 10 {
        sleep(Duration::from_millis(100)).await;
        let now = ask("/flooded").await;
        standing = if now == before { standing + 1 } else { 0 };
        before = now;
        assert!(ws.received() <= LIMIT, "{} bytes wait", ws.received());
    }
    let grown = (core::arch::wasm32::memory_size::<0>() - pages) << 16;
    assert!(grown < 4 * LIMIT, "the memory has grown by {grown} bytes");
    assert!((LIMIT / 4160..COUNT as usize / 2).contains(&before), "the server has sent {before} messages");
    assert!(ws.is_open() && ws.close_info().is_none());
    for expected in 0..COUNT {
        assert_eq!(number(&ws.recv().await.unwrap().unwrap()), expected);
    }
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.dropped(), 0);
    assert_eq!(ws.close_info().unwrap().received, Some(CloseCode::NORMAL_CLOSURE));
}

#[wasm_bindgen_test]
async fn close_does_not_wait_for_messages_that_nobody_receives() {
    let mut ws = flooded(Overflow::Close).await;
    while ws.received() + 5000 < LIMIT {
        sleep(Duration::from_millis(10)).await;
    }
    let info = ws.close(CloseCode(4002), "enough").await.unwrap();
    assert_eq!(info.sent, Some(CloseCode(4002)));
    // What waited is there still, and nothing else.
    let mut received = 0;
    while let Ok(Some(message)) = ws.recv().await {
        assert_eq!(number(&message), received);
        received += 1;
    }
    assert!((200..260).contains(&received), "{received} messages were kept");
}

#[wasm_bindgen_test]
async fn what_was_sent_before_close_arrives() {
    let client = Options::default().connection(Config::client().send_high_water(LIMIT)).build().unwrap();
    let (mut ws, _) = client.connect(format!("{}/slow", Page.peer())).await.unwrap();
    let number = ws.recv().await.unwrap().unwrap().into_text().unwrap();
    // More than the buffers on the way take: there is no room after a while either.
    let (mut sent, mut full) = (0, 0);
    while full < 5 {
        match ws.try_send(vec![7; CHUNK]) {
            Ok(()) => (sent, full) = (sent + CHUNK, 0),
            Err(_) => full += 1,
        }
        sleep(Duration::from_millis(if full == 0 { 0 } else { 100 })).await;
    }
    assert!(ws.queued() >= LIMIT);
    ws.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    assert!(!ws.is_open());
    let _reading = ws_client::connect(format!("{}/read?{number}", Page.peer())).await.unwrap();
    let info = ws.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    assert!(info.is_clean() && info.unsent == 0, "{info}");
    assert_eq!(last_close(&Page).await, "1000");
    assert_eq!(ask("/taken").await, sent);
}

#[wasm_bindgen_test]
async fn a_flood_that_is_not_received_closes_the_connection_where_the_browser_has_no_websocket_stream() {
    let mut ws = without_stream(flooded(Overflow::Close)).await;
    let grown = stall(&ws).await;
    assert!(grown < 4 * LIMIT, "the memory has grown by {grown} bytes");
    let mut received = 0;
    let error = loop {
        match ws.recv().await {
            Ok(message) => {
                assert_eq!(number(&message.unwrap()), received);
                received += 1;
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Overflow { limit: LIMIT }), "{error}");
    assert!((200..260).contains(&received), "{received} messages were kept");
    assert_eq!(ws.dropped(), 0);
    let info = ws.close_info().unwrap();
    assert_eq!(info.sent, Some(Config::TRY_AGAIN_LATER));
    assert_eq!(last_close(&Page).await, "4013");
}

#[wasm_bindgen_test]
async fn a_flood_that_is_received_arrives_whole() {
    whole(flooded(Overflow::Close).await).await;
    whole(without_stream(flooded(Overflow::Close)).await).await;
}

async fn whole(mut ws: WebSocket) {
    for expected in 0..COUNT {
        assert_eq!(number(&ws.recv().await.unwrap().unwrap()), expected);
    }
    assert_eq!(ws.recv().await.unwrap(), None);
}

#[wasm_bindgen_test]
async fn the_oldest_or_the_newest_messages_are_dropped_where_that_is_chosen() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut ws = flooded(overflow).await;
        let grown = stall(&ws).await;
        assert!(grown < 4 * LIMIT, "the memory has grown by {grown} bytes");
        let mut numbers = Vec::new();
        while let Some(message) = ws.recv().await.unwrap() {
            numbers.push(number(&message));
        }
        let kept = numbers.len() as u32;
        assert!((200..260).contains(&kept), "{kept} messages were kept");
        let first = if overflow == Overflow::DropOldest { COUNT - kept } else { 0 };
        assert_eq!(numbers, (first..first + kept).collect::<Vec<_>>());
        assert_eq!(ws.dropped(), u64::from(COUNT - kept));
    }
}

#[wasm_bindgen_test]
async fn a_message_over_the_limit_closes_the_connection() {
    too_big().await;
    without_stream(too_big()).await;
}

async fn too_big() {
    let client = Options::default().connection(Config::client().max_message_size(4095)).build().unwrap();
    let (mut ws, _) = client.connect(format!("{}/flood?{COUNT}", Page.peer())).await.unwrap();
    assert!(matches!(ws.recv().await, Err(Error::Protocol(_))));
    let info = ws.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    assert_eq!(info.sent, Some(Config::TOO_BIG));
    assert_eq!(last_close(&Page).await, "4009");
}

#[wasm_bindgen_test]
async fn codes_that_browsers_do_not_allow_are_an_error() {
    let (mut ws, _) = ws_client::connect(Page.echo()).await.unwrap();
    for code in [999, 1001, 1013, 2999, 5000] {
        let error = ws.start_close(CloseCode(code), "").unwrap_err();
        assert!(matches!(error, Error::CloseCode(CloseCode(c)) if c == code), "{error}");
    }
    assert!(ws.is_open());
}

#[wasm_bindgen_test]
fn credentials_in_the_address_are_an_error() {
    let error = Request::new("wss://user:secret@example.com/").unwrap_err();
    assert_eq!(error, UrlError::UserInfo);
    assert!(!error.to_string().contains("secret"));
}

#[wasm_bindgen_test]
async fn a_websocket_is_a_stream_and_a_sink() {
    let (mut ws, _) = ws_client::connect(Page.echo()).await.unwrap();
    let mut numbers = futures_util::stream::iter((0..10).map(|n| Ok(Message::text(n.to_string()))));
    ws.send_all(&mut numbers).await.unwrap();
    for expected in 0..10 {
        assert_eq!(ws.next().await.unwrap().unwrap().as_text(), Some(&*expected.to_string()));
    }
    SinkExt::close(&mut ws).await.unwrap();
    assert!(ws.next().await.is_none() && ws.next().await.is_none());
}

/// The script starts the server again some time after it has ended.
#[wasm_bindgen_test]
async fn a_client_connects_again_after_the_server_was_killed() {
    let place = at(option_env!("WS_BROWSER_MORTAL"));
    let backoff = Backoff::default().initial(Duration::from_millis(50)).max(Duration::from_millis(200));
    let client = Options::default().backoff(backoff).build().unwrap();
    let (failures, delays) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(Duration::ZERO)));
    let (counted, waited) = (Rc::clone(&failures), Rc::clone(&delays));
    let mut connections = client.reconnect(format!("{place}/echo")).unwrap().on_wait(move |retry| {
        assert!(retry.error.is_none_or(|error| matches!(error, ConnectError::Failed { .. })));
        counted.set(retry.failures);
        waited.set(waited.get() + retry.delay);
    });
    let (mut ws, _) = connections.next().await.unwrap();
    ws.send("before").await.unwrap();
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("before"));

    let _ = ws_client::connect(format!("{place}/die")).await;
    let error = ws.recv().await.unwrap_err();
    assert!(matches!(&error, Error::Closed(info) if info.code() == CloseCode::ABNORMAL_CLOSURE), "{error}");

    let began = js_sys::Date::now();
    let (mut ws, _) = connections.next().await.unwrap();
    let taken = Duration::from_secs_f64((js_sys::Date::now() - began).max(0.0) / 1000.0);
    assert!(taken + Duration::from_millis(50) >= delays.get(), "{taken:?} for delays of {:?}", delays.get());
    assert!(failures.get() >= 2, "the server was away: {} failures", failures.get());
    ws.send("after").await.unwrap();
    assert_eq!(ws.recv().await.unwrap().unwrap().as_text(), Some("after"));
}
