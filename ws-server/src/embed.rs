//! WebSockets in an application whose HTTP is served by hyper, tower or axum.

#[cfg(feature = "axum")]
pub(crate) mod axum;
#[cfg(feature = "axum")]
pub(crate) mod params;
#[cfg(feature = "tower")]
pub(crate) mod tower;
pub(crate) mod upgrade;
pub(crate) mod websocket_hub;
