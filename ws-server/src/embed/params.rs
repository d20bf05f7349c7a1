//! The path parameters of axum's routes.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

/// The path parameters of the route that led here.
pub(crate) async fn params(mut parts: Parts) -> (Vec<(String, String)>, Parts) {
    // Where no route has any, there is no such thing.
    let found = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    (found.iter().flatten().map(pair).collect(), parts)
}
