//! The client as a program sees it, on every target: the same scenarios natively, in a page and in a worker of a browser.
//!
//! In a browser: `interop/80-wasm-browser.sh`, which starts the servers.

#[cfg(target_arch = "wasm32")]
mod limits;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(not(target_arch = "wasm32"))]
mod peer;
mod scenarios;
