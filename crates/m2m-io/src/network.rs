//! Ranges of addresses in CIDR notation, as operators write them.
//!
//! Sections: RFC 4632 §3.1, RFC 4291 §2.3
//! Enforces: an IP address, or one with a prefix and no bit set beyond it; IPv6 spellings of IPv4 addresses
//! (`::ffff:10.0.0.5`) are the IPv4 address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that have their first bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// No address, or a prefix that is longer than the address.
    #[error("expected an address (10.0.0.5) or a network (10.1.0.0/16)")]
    Shape,
    /// Bits are set beyond the prefix; perhaps this was meant.
    #[error("there are bits beyond the prefix; {0} is meant")]
    BeyondPrefix(Network),
}

impl Network {
    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && cut(address, self.prefix) == self.first
    }

    /// Whether every address of its family lies in it.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.prefix == 0
    }

    /// An IPv4 network, where IPv6 spells one.
    fn canonical(self) -> Self {
        match self.first.to_canonical() {
            first @ IpAddr::V4(_) if self.first.is_ipv6() && self.prefix >= 96 => {
                Self { first, prefix: self.prefix - 96 }
            }
            _ => self,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let first: IpAddr = address.parse().map_err(|_| NetworkError::Shape)?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or(NetworkError::Shape)?
            }
            Some(_) => return Err(NetworkError::Shape),
        };
        let network = Self { first: cut(first, prefix), prefix };
        if network.first != first {
            return Err(NetworkError::BeyondPrefix(network));
        }
        Ok(network.canonical())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
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
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expect, "{network} {address}");
        };
        check("10.0.0.5", "10.0.0.5", true);
        check("10.0.0.5", "10.0.0.6", false);
        check("10.0.0.5", "::ffff:10.0.0.5", true);
        check("10.1.0.0/16", "10.1.255.255", true);
        check("10.1.0.0/16", "10.2.0.0", false);
        check("128.0.0.0/1", "255.0.0.1", true);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("fd00::/8", "fdff::1", true);
        check("fd00::/8", "fe00::1", false);
        check("::1", "::1", true);
        check("fd00::/8", "10.0.0.1", false);
        check("::ffff:10.1.0.0/112", "10.1.3.4", true);
        check("::/0", "2001:db9::1", true);
    }

    #[test]
    fn a_network_reads_as_it_is_written() {
        for text in ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::/0"] {
            let network: Network = text.parse().unwrap();
            assert_eq!((network.to_string().as_str(), network.is_everybody()), (text, text == "::/0"));
        }
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
    }

    #[test]
    fn what_is_no_network() {
        for text in
            ["proxy.example", "", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "::/129", "10.0.0.0/008x"]
        {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Shape), "{text}");
        }
        let error = "10.1.2.3/16".parse::<Network>().unwrap_err();
        assert_eq!(error.to_string(), "there are bits beyond the prefix; 10.1.0.0/16 is meant");
    }
}
