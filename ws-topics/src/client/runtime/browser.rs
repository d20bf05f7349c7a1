//! In a browser.

use std::pin::Pin;
use std::time::Duration;

use ws_client::Sleep;

use super::Silent;
use crate::client::error::ClientError;

pub(in crate::client) fn spawn(task: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}

/// Returns random bits for a key. A key is no secret: it differs from others of the same client.
#[expect(clippy::unnecessary_wraps, reason = "natively it may fail")]
pub(in crate::client) fn random_bits() -> Result<[u8; 16], ClientError> {
    let word = || ((js_sys::Math::random() * 2f64.powi(32)) as u32).to_le_bytes();
    let mut bytes = [0_u8; 16];
    for part in bytes.chunks_exact_mut(4) {
        part.copy_from_slice(&word());
    }
    Ok(bytes)
}

/// A browser sends no pings, and may notice a lost network after minutes. After `SILENCE` without a message, twice that at most, the server is
/// asked for one, and the connection is left if none comes within `PATIENCE`.
pub(in crate::client) struct Silence {
    sleep: Sleep,
    has_heard: bool,
    has_asked: bool,
}

/// As `silence` and `patience` of `js/topics.js`.
const SILENCE: Duration = Duration::from_secs(25);
const PATIENCE: Duration = Duration::from_secs(10);

impl Silence {
    pub(in crate::client) fn new() -> Self {
        Self { sleep: Sleep::new(SILENCE), has_heard: false, has_asked: false }
    }

    /// The server has sent something.
    pub(in crate::client) fn heard(&mut self) {
        self.has_heard = true;
    }

    /// Waits until something is to be done.
    pub(in crate::client) async fn over(&mut self) -> Silent {
        loop {
            Pin::new(&mut self.sleep).await;
            let has_heard = std::mem::take(&mut self.has_heard);
            if self.has_asked && !has_heard {
                return Silent::GiveUp;
            }
            self.has_asked = !has_heard;
            self.sleep = Sleep::new(if has_heard { SILENCE } else { PATIENCE });
            if self.has_asked {
                return Silent::Ask;
            }
        }
    }
}
