//! A list of networks, such as those of trusted proxies.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::config::error::SettingError;

/// A list of networks: IP addresses (`192.0.2.7`, `2001:db8::1`), networks in CIDR notation (`10.0.0.0/8`,
/// `2001:db8::/32`), and `unix` for peers without an IP address: those of Unix sockets, and of streams whose address
/// is not known.
///
/// It is parsed from a text with commas or spaces between the entries. An empty list contains no address.
///
/// ```
/// use ws_server::Networks;
///
/// let networks: Networks = "10.0.0.0/8, 2001:db8::/32, unix".parse()?;
/// assert!(networks.contains("10.1.2.3".parse()?) && !networks.contains("192.0.2.1".parse()?));
/// let error = "10.0.0.0/8, 10.0.0.1/33".parse::<Networks>().unwrap_err();
/// assert!(error.to_string().contains("10.0.0.1/33"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    networks: Vec<Network>,
    unix: bool,
}

/// The addresses of one family that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    prefix: u32,
}

impl Networks {
    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether an address is in one of the networks. An IPv4 address in its IPv6 form (`::ffff:192.0.2.1`) is an IPv4
    /// address here.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether a peer is in the list; one without an address is if the list has `unix`.
    pub(crate) fn contains_peer(&self, peer: Option<SocketAddr>) -> bool {
        peer.map_or(self.unix, |peer| self.contains(peer.ip()))
    }
}

impl FromStr for Networks {
    type Err = SettingError;

    /// # Errors
    /// [`SettingError`] with the first entry that is no network.
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let mut list = Self::default();
        for entry in text.split([',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty()) {
            if entry.eq_ignore_ascii_case("unix") {
                list.unix = true;
                continue;
            }
            let network = Network::parse(entry);
            let network =
                network.map_err(|must| SettingError::new("networks", format!("{entry:?}"), must))?;
            list.networks.push(network);
        }
        Ok(list)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for Network { first, prefix } in &self.networks {
            write!(f, "{comma}{first}/{prefix}")?;
            comma = ",";
        }
        if self.unix { write!(f, "{comma}unix") } else { Ok(()) }
    }
}

impl Network {
    fn parse(entry: &str) -> Result<Self, String> {
        let (address, prefix) = match entry.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (entry, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            "it must be an IP address, a network such as 10.0.0.0/8 or 2001:db8::/32, or unix".to_owned()
        })?;
        let bits = width(address);
        let prefix = match prefix {
            None => bits,
            Some(text) => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let prefix = text.parse().ok().filter(|prefix| digits && *prefix <= bits);
                prefix.ok_or_else(|| format!("the number after the slash must be between 0 and {bits}"))?
            }
        };
        // A network of IPv4 in its IPv6 form: ::ffff:0:0/96 is all of IPv4 (RFC 4291 section 2.5.5.2).
        let (address, prefix) = match address.to_canonical() {
            v4 if v4.is_ipv4() && address.is_ipv6() && prefix >= MAPPED => (v4, prefix - MAPPED),
            _ => (address, prefix),
        };
        let first = first_of(address, prefix);
        if first != address {
            return Err(format!("the address has bits beyond its prefix; the network is {first}/{prefix}"));
        }
        Ok(Self { first, prefix })
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && first_of(address, self.prefix) == self.first
    }
}

/// The bits of an IPv6 address before the IPv4 address in it.
const MAPPED: u32 = 96;

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { u32::BITS } else { u128::BITS }
}

/// The first address of the network of this address.
fn first_of(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(u32::BITS.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(u128::BITS.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix_and_no_others() {
        let networks: Networks = "10.0.0.0/8,192.0.2.7 2001:db8::/33\n::1".parse().unwrap();
        for inside in
            ["10.0.0.0", "10.255.255.255", "192.0.2.7", "::ffff:10.1.2.3", "2001:db8:7fff::1", "::1"]
        {
            assert!(networks.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.6", "2001:db8:8000::", "::2", "::", "127.0.0.1"]
        {
            assert!(!networks.contains(outside.parse().unwrap()), "{outside}");
        }
        assert!(!networks.contains_peer(None));
        assert_eq!(networks.to_string(), "10.0.0.0/8,192.0.2.7/32,2001:db8::/33,::1/128");
    }

    #[test]
    fn a_prefix_of_zero_contains_one_family_and_a_mapped_network_is_of_ipv4() {
        let contains =
            |list: &str, address: &str| list.parse::<Networks>().unwrap().contains(address.parse().unwrap());
        assert!(contains("0.0.0.0/0", "255.1.2.3") && !contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "192.0.2.1"));
        assert!(contains("::ffff:10.0.0.0/104", "10.9.9.9") && !contains("::ffff:10.0.0.0/104", "11.0.0.0"));
        assert!(contains("::ffff:0:0/96", "192.0.2.1"));
    }

    #[test]
    fn peers_without_an_address_are_in_the_list_only_if_it_has_unix() {
        assert!("unix".parse::<Networks>().unwrap().contains_peer(None));
        assert!(!"0.0.0.0/0 ::/0".parse::<Networks>().unwrap().contains_peer(None));
        let empty: Networks = "".parse().unwrap();
        assert!(empty.is_empty() && !empty.contains_peer(None) && !empty.contains([127, 0, 0, 1].into()));
    }

    #[test]
    fn an_entry_that_is_no_network_is_named_with_what_to_do() {
        for (entry, must) in [
            ("10.0.0.0/33", "between 0 and 32"),
            ("::/129", "between 0 and 128"),
            ("10.0.0.0/", "between 0 and 32"),
            ("10.0.0.0/+8", "between 0 and 32"),
            ("10.0.0.1/8", "the network is 10.0.0.0/8"),
            ("::ffff:10.0.0.1/104", "the network is 10.0.0.0/8"),
            ("2001:db8::1/32", "the network is 2001:db8::/32"),
            ("localhost", "an IP address"),
            ("10.0.0", "an IP address"),
            ("10.0.0.0:80", "an IP address"),
        ] {
            let error = format!("127.0.0.1,{entry}").parse::<Networks>().unwrap_err().to_string();
            assert!(error.contains(&format!("{entry:?}")) && error.contains(must), "{error}");
        }
    }
}
