//! What an address gets, on a clock that stands still until it is moved.

use tokio::time::advance;

use super::*;

fn source(number: u32) -> Source {
    Source::V4(number)
}

#[tokio::test(start_paused = true)]
async fn an_address_opens_as_many_websockets_as_it_may_and_one_more_when_one_ends() {
    let addresses = Addresses::new(AddressLimits::default().max_connections(Some(2)));
    let first = addresses.open(source(1)).unwrap();
    let second = addresses.open(source(1)).unwrap();
    assert!(addresses.open(source(1)).is_err() && !addresses.has_room(source(1)));
    assert!(addresses.has_room(source(2)) && addresses.open(source(2)).is_ok());
    drop(second);
    assert!(addresses.has_room(source(1)));
    let third = addresses.open(source(1)).unwrap();
    assert!(addresses.open(source(1)).is_err());
    drop((first, third));
    assert_eq!(addresses.state().sizes(), (0, 0), "nothing is kept of addresses without WebSockets");
}

#[tokio::test(start_paused = true)]
async fn the_bucket_of_handshakes_of_an_address_is_refilled_with_time() {
    let addresses = Addresses::new(AddressLimits::default().handshakes_per_second(Some(4)));
    for _ in 0..4 {
        addresses.request(source(1)).unwrap();
    }
    assert_eq!(addresses.request(source(1)), Err(Duration::from_millis(250)));
    addresses.request(source(2)).unwrap();
    advance(Duration::from_millis(250)).await;
    addresses.request(source(1)).unwrap();
    assert_eq!(addresses.request(source(1)), Err(Duration::from_millis(250)), "refusals cost nothing");
    advance(Duration::from_secs(100)).await;
    assert_eq!((0..10).filter(|_| addresses.request(source(1)).is_ok()).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_address_leaves_others_room_in_the_guards() {
    let addresses = Addresses::new(AddressLimits::default());
    let limit = 100;
    let mut inside = Vec::new();
    for number in [1, 2, 3] {
        while let Some(one) = addresses.decide(source(number), limit - inside.len()) {
            inside.push(one);
        }
    }
    assert_eq!(inside.len(), 100);
    let of = |number| addresses.deciders().of(source(number));
    assert_eq!((of(1), of(2), of(3)), (80, 16, 4));
    drop(inside);
    assert_eq!(addresses.deciders().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_address_that_has_been_idle_for_longest_is_forgotten_and_none_that_is_in_use() {
    let limits = AddressLimits::default().handshakes_per_second(Some(1)).max_connections(Some(1));
    let addresses = Addresses::new(limits.max_addresses(3));
    let open = addresses.open(source(1)).unwrap();
    for number in 1..=3 {
        addresses.request(source(number)).unwrap();
    }
    // The second is used again, so that the third is the oldest.
    addresses.request(source(2)).unwrap_err();
    addresses.request(source(4)).unwrap();
    assert_eq!(addresses.state().sizes(), (3, 2));
    addresses.request(source(2)).unwrap_err();
    addresses.request(source(3)).expect("it was forgotten");
    for number in 10..10_000 {
        addresses.request(source(number)).unwrap();
        let (entries, idle) = addresses.state().sizes();
        assert!(entries <= 3 && idle <= 3);
    }
    assert!(addresses.open(source(1)).is_err(), "it has a WebSocket open");
    drop(open);
}

#[tokio::test(start_paused = true)]
async fn the_websockets_of_an_address_share_what_may_be_read() {
    let addresses = Addresses::new(AddressLimits::default().bytes_per_second(Some(10)));
    let reads = |share: &Option<Box<OpenShare>>| share.as_ref().unwrap().reads().unwrap().clone();
    let (first, second) = (addresses.open(source(1)).unwrap(), addresses.open(source(1)).unwrap());
    assert!(Arc::ptr_eq(&reads(&first), &reads(&second)));
    let other = addresses.open(source(2)).unwrap();
    assert!(!Arc::ptr_eq(&reads(&first), &reads(&other)));
    let before = reads(&first);
    drop((first, second));
    let again = addresses.open(source(1)).unwrap();
    assert!(Arc::ptr_eq(&before, &reads(&again)), "opening anew does not fill the bucket");
}
