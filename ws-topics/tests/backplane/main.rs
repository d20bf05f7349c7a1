//! What every [`Backplane`](ws_topics::Backplane) has to do, against one in memory. `examples/contract` runs the same against NATS and Redis, for
//! `interop/85-topics.sh`.

mod contract;
mod garbage;
mod memory;

#[tokio::test]
async fn a_backplane_in_memory_keeps_the_contract() {
    let bus = memory::Memory::default();
    let steps =
        contract::check(&bus, contract::Limits { payload: 1 << 20, exact_filters: true }, async |topic| {
            bus.delete(topic);
        })
        .await;
    assert!(steps > 8, "{steps}");
}

#[tokio::test(start_paused = true)]
async fn what_no_server_has_sent_on_a_backplane_in_memory_is_counted_and_ends_nothing() {
    let bus = memory::Memory::default();
    garbage::what_no_server_has_sent_is_counted_and_ends_nothing(|| bus.clone(), 1 << 20, async |_, _| {})
        .await;
}
