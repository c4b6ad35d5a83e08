//! Who may speak for others: addresses and networks of trusted proxies.
//!
//! Enforces: every entry an IP address or a network in CIDR notation, written with its own first address; none that
//! holds every address; IPv6 spellings of IPv4 addresses (`::ffff:10.0.0.5`) are the IPv4 address.
//! Limits: 256 entries.

use std::net::IpAddr;

/// The most entries.
pub(crate) const MAX_NETWORKS: usize = 256;

/// Addresses that have their first bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// An address, or a network such as `10.1.0.0/16`.
    ///
    /// # Errors
    /// What is expected, when the text is something else.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected an address (10.0.0.5) or a network (10.1.0.0/16), found {text:?}");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let first: IpAddr = address.parse().map_err(|_| expected())?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(expected)?
            }
            Some(_) => return Err(expected()),
        };
        if prefix == 0 {
            return Err(format!("{text} is everybody; name the addresses of the proxies alone"));
        }
        let network = Self { first: cut(first, prefix), prefix };
        if network.first != first {
            return Err(format!("{text} has bits beyond its prefix; {}/{prefix} is meant", network.first));
        }
        Ok(network.canonical())
    }

    /// Whether the address lies in it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && cut(address, self.prefix) == self.first
    }

    /// An IPv4 network, where IPv6 spells one.
    fn canonical(self) -> Self {
        match self.first.to_canonical() {
            first @ IpAddr::V4(_) if self.first.is_ipv6() && self.prefix > 96 => {
                Self { first, prefix: self.prefix - 96 }
            }
            _ => self,
        }
    }
}

/// The address with everything behind the prefix zero.
fn cut(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_network() {
        let check = |network: &str, address: &str, expect| {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expect, "{network:?} {address}");
        };
        check("10.0.0.5", "10.0.0.5", true);
        check("10.0.0.5", "10.0.0.6", false);
        check("10.0.0.5", "::ffff:10.0.0.5", true);
        check("10.1.0.0/16", "10.1.255.255", true);
        check("10.1.0.0/16", "10.2.0.0", false);
        check("128.0.0.0/1", "255.0.0.1", true);
        check("fd00::/8", "fdff::1", true);
        check("fd00::/8", "fe00::1", false);
        check("::1", "::1", true);
        check("fd00::/8", "10.0.0.1", false);
        check("::ffff:10.1.0.0/112", "10.1.3.4", true);
    }

    #[test]
    fn what_is_no_network() {
        let check = |text: &str, expect: &str| {
            let error = Network::parse(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("proxy.example", "expected an address");
        check("", "expected an address");
        check("10.0.0.0/", "expected an address");
        check("10.0.0.0/33", "expected an address");
        check("10.0.0.0/+8", "expected an address");
        check("::/129", "expected an address");
        check("10.1.2.3/16", "10.1.0.0/16 is meant");
        check("0.0.0.0/0", "everybody");
        check("::/0", "everybody");
    }
}
