//! Reading a stream.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde_json::json;

use super::answer::parsed;
use super::nanoseconds;
use crate::backplane::BackplaneError;
use crate::nats::connection::Connection;

/// Fetches entries by a consumer that is made for this and forgotten.
pub(super) async fn fetch(
    connection: &Connection,
    stream: &str,
    first: u64,
    wanted: usize,
    max_bytes: usize,
) -> Result<Vec<(u64, Bytes)>, BackplaneError> {
    let request = json!({
        "stream_name": stream,
        "config": {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": first,
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": nanoseconds(Duration::from_secs(30)),
            "mem_storage": true,
            "num_replicas": 1,
        },
    });
    let reply =
        connection.request(format!("$JS.API.CONSUMER.CREATE.{stream}"), request.to_string().into()).await?;
    let what = || format!("read stream {stream:?}");
    let consumer = parsed(connection, &reply)?.expect(connection, what, |answer| answer.name.take())?;
    // The server sends no entry that is longer than this by itself.
    let most = max_bytes.max(connection.max_payload().saturating_add(64 << 10));
    let request = json!({ "batch": wanted, "max_bytes": most, "no_wait": true });
    let mut replies = connection.replies().await?;
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
    connection
        .send(subject, Some((replies.subject(0), HeaderMap::new())), request.to_string().into())
        .await?;
    let (mut entries, mut bytes) = (Vec::new(), 0_usize);
    while entries.len() < wanted && (bytes < max_bytes || entries.is_empty()) {
        let message = connection.reply(&mut replies).await?;
        // A status says that nothing more comes.
        let Some(offset) = message.reply.as_deref().filter(|_| message.status.is_none()).and_then(offset_of)
        else {
            break;
        };
        let follows = entries.last().is_none_or(|(last, _): &(u64, Bytes)| offset == last.saturating_add(1));
        if offset < first || !follows {
            break;
        }
        bytes = bytes.saturating_add(message.payload.len());
        entries.push((offset, message.payload));
    }
    connection.notify(format!("$JS.API.CONSUMER.DELETE.{stream}.{consumer}")).await;
    Ok(entries)
}

/// The sequence number that a delivered message has in its reply subject: `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.…`, or with two more
/// tokens, domain and account, in front of the stream.
fn offset_of(reply: &str) -> Option<u64> {
    let tokens = reply.split('.').count();
    let place = if tokens >= 11 { 7 } else { 5 };
    reply.strip_prefix("$JS.ACK.")?.split('.').nth(place - 2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_found_in_both_forms_of_the_reply_subject() {
        assert_eq!(offset_of("$JS.ACK.stream.consumer.1.22.3.1700000000000000000.5"), Some(22));
        assert_eq!(
            offset_of("$JS.ACK.domain.account.stream.consumer.1.22.3.1700000000000000000.5"),
            Some(22)
        );
        assert_eq!(
            offset_of("$JS.ACK._.account.stream.consumer.1.22.3.1700000000000000000.5.random"),
            Some(22)
        );
        assert_eq!(offset_of("_INBOX.1"), None);
    }
}
