//! Where connections come from and what they run on: listeners, streams, TLS.

#[cfg(all(feature = "hyper", feature = "http2"))]
pub(crate) mod bounded;
pub(crate) mod bucket;
#[cfg(feature = "tls")]
pub(crate) mod current_tls;
pub(crate) mod frame_count;
#[cfg(all(unix, feature = "service"))]
pub(crate) mod inherited;
pub(crate) mod listener;
#[cfg(all(test, feature = "ring"))]
#[path = "../tests/common/log.rs"]
#[allow(dead_code, unreachable_pub, reason = "the programs in `tests` use the rest")]
mod logged;
pub(crate) mod peer;
#[cfg(feature = "tls")]
pub(crate) mod pem;
pub(crate) mod proxy_header;
#[cfg(feature = "http2")]
pub(crate) mod replayed;
pub(crate) mod rest;
pub(crate) mod socket;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod throttle;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod watched;
