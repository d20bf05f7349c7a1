//! From a host name to addresses.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use crate::address::Host;

/// Looks up host names instead of the operating system: another DNS, a cache, a name for tests.
///
/// Each lookup counts against [`Options::opening_timeout`](crate::Options::opening_timeout).
///
/// ```
/// use ws_client::{Resolver, Resolving};
///
/// #[derive(Debug)]
/// struct Staging;
///
/// impl Resolver for Staging {
///     fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
///         Box::pin(async move {
///             match host {
///                 "example.com" => Ok(vec![([192, 0, 2, 1], port).into()]),
///                 _ => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
///             }
///         })
///     }
/// }
/// ```
#[doc(alias("dns", "lookup"))]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// Returns the addresses of a host, each with this port. It is called for names only, never for literal addresses.
    ///
    /// # Errors
    /// Any error; the caller gets it as [`ConnectError::Resolve`](crate::ConnectError::Resolve), or
    /// [`ProxyError`](crate::ProxyError) for a proxy's name.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

impl<R: Resolver + ?Sized> Resolver for Arc<R> {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        R::resolve(self, host, port)
    }
}

/// What [`Resolver::resolve`] returns: a boxed future, so that resolvers can be chosen at run time.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Returns the addresses of a host; a literal needs no resolver.
pub(crate) async fn resolve(
    resolver: Option<&dyn Resolver>,
    host: Host<&str>,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    match (host, resolver) {
        (Host::Ipv4(ip), _) => Ok(vec![(ip, port).into()]),
        (Host::Ipv6(ip), _) => Ok(vec![(ip, port).into()]),
        (Host::Domain(name), Some(resolver)) => resolver.resolve(name, port).await,
        (Host::Domain(name), None) => Ok(tokio::net::lookup_host((name, port)).await?.collect()),
    }
}
