//! How peers are distinguished before they have sent anything.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

/// An IPv4 address or an IPv6 network of 64 bits, which is what one subscriber has at least (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A Unix socket: all peers on it count as one.
    Local,
    V4(u32),
    V6(u64),
}

impl Source {
    pub(crate) fn of(peer: Option<SocketAddr>) -> Self {
        // An IPv4 peer of a listener for both families is the same as on one for IPv4.
        match peer.map(|peer| peer.ip().to_canonical()) {
            None => Self::Local,
            Some(IpAddr::V4(address)) => Self::V4(address.to_bits()),
            Some(IpAddr::V6(address)) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// One number, which is hashed in a quarter of the time of what would be derived.
impl Hash for Source {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(match *self {
            Self::Local => 0,
            Self::V4(address) => address.into(),
            Self::V6(network) => network,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_and_mapped_ipv4_addresses_are_one_source() {
        let source = |text: &str| Source::of(Some(text.parse().unwrap()));
        assert_eq!(source("[2001:db8:0:1::1]:5"), source("[2001:db8:0:1:ffff::2]:6"));
        assert_ne!(source("[2001:db8:0:1::1]:5"), source("[2001:db8:0:2::1]:5"));
        assert_eq!(source("[::ffff:192.0.2.1]:5"), source("192.0.2.1:6"));
        assert_ne!(source("192.0.2.1:5"), source("192.0.2.2:5"));
        assert_eq!(Source::of(None), Source::Local);
    }
}
