//! The scenarios natively, against `peer.rs` in the same program.

use std::time::Duration;

use tokio::net::TcpListener;

use super::peer;
use super::scenarios::{self, Place};

struct Native(String);

impl Place for Native {
    fn echo(&self) -> String {
        format!("{}/echo", self.0)
    }

    fn peer(&self) -> String {
        self.0.clone()
    }

    async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(time, future).await.ok()
    }
}

async fn place() -> Native {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(peer::serve(listener));
    Native(format!("ws://{address}"))
}

macro_rules! scenarios {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            let place = place().await;
            let scenario = scenarios::$name(&place);
            tokio::time::timeout(Duration::from_secs(60), scenario).await.expect("the scenario timed out");
        }
    )*};
}

scenarios! {
    messages_come_back
    a_subprotocol_is_chosen
    close_codes_arrive_both_ways
    a_lost_connection_is_reported
    send_waits_for_a_server_that_does_not_read
    what_cannot_connect_says_so
}
