//! The IANA special-purpose address registries (RFC 6890), IPv4 and IPv6, as of 2026-11-22.
//!
//! Registry data, copied row by row; the most specific row decides. Beyond the registries: multicast is never dialled,
//! IPv6 outside 2000::/3 is not global unicast, and a NAT64 address is as public as the IPv4 address inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One block: network, prefix length, globally reachable, name.
type Row<A> = (A, u32, Reachable, &'static str);

/// The registries' column "Globally Reachable"; `N/A` counts as no.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reachable {
    Yes,
    No,
}

use Reachable::{No, Yes};

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// The first 64 bits are enough for all rows but those of ::/64.
const fn v6(a: u16, b: u16, c: u16, d: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)
}

const IPV4: &[Row<Ipv4Addr>] = &[
    (v4(0, 0, 0, 0), 8, No, "this network"),
    (v4(0, 0, 0, 0), 32, No, "this host"),
    (v4(10, 0, 0, 0), 8, No, "private use"),
    (v4(100, 64, 0, 0), 10, No, "shared address space"),
    (v4(127, 0, 0, 0), 8, No, "loopback"),
    (v4(169, 254, 0, 0), 16, No, "link local"),
    (v4(172, 16, 0, 0), 12, No, "private use"),
    (v4(192, 0, 0, 0), 24, No, "IETF protocol assignments"),
    (v4(192, 0, 0, 0), 29, No, "IPv4 service continuity"),
    (v4(192, 0, 0, 8), 32, No, "IPv4 dummy address"),
    (v4(192, 0, 0, 9), 32, Yes, "Port Control Protocol anycast"),
    (v4(192, 0, 0, 10), 32, Yes, "TURN anycast"),
    (v4(192, 0, 0, 170), 32, No, "NAT64 discovery"),
    (v4(192, 0, 0, 171), 32, No, "NAT64 discovery"),
    (v4(192, 0, 2, 0), 24, No, "documentation"),
    (v4(192, 31, 196, 0), 24, Yes, "AS112"),
    (v4(192, 52, 193, 0), 24, Yes, "AMT"),
    (v4(192, 88, 99, 0), 24, No, "deprecated 6to4 relay anycast"),
    (v4(192, 168, 0, 0), 16, No, "private use"),
    (v4(192, 175, 48, 0), 24, Yes, "direct delegation AS112"),
    (v4(198, 18, 0, 0), 15, No, "benchmarking"),
    (v4(198, 51, 100, 0), 24, No, "documentation"),
    (v4(203, 0, 113, 0), 24, No, "documentation"),
    (v4(224, 0, 0, 0), 4, No, "multicast"),
    (v4(240, 0, 0, 0), 4, No, "reserved"),
    (v4(255, 255, 255, 255), 32, No, "limited broadcast"),
];

const IPV6: &[Row<Ipv6Addr>] = &[
    (Ipv6Addr::LOCALHOST, 128, No, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 128, No, "unspecified"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, No, "IPv4-mapped"),
    (v6(0x64, 0xff9b, 0, 0), 96, Yes, "NAT64"),
    (v6(0x64, 0xff9b, 1, 0), 48, No, "local NAT64"),
    (v6(0x100, 0, 0, 0), 64, No, "discard only"),
    (v6(0x100, 0, 0, 1), 64, No, "dummy prefix"),
    (v6(0x2000, 0, 0, 0), 3, Yes, "global unicast"),
    (v6(0x2001, 0, 0, 0), 23, No, "IETF protocol assignments"),
    (v6(0x2001, 0, 0, 0), 32, No, "Teredo"),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 1), 128, Yes, "Port Control Protocol anycast"),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 2), 128, Yes, "TURN anycast"),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 3), 128, Yes, "DNS-SD registration anycast"),
    (v6(0x2001, 2, 0, 0), 48, No, "benchmarking"),
    (v6(0x2001, 3, 0, 0), 32, Yes, "AMT"),
    (v6(0x2001, 4, 0x112, 0), 48, Yes, "AS112"),
    (v6(0x2001, 0x10, 0, 0), 28, No, "deprecated ORCHID"),
    (v6(0x2001, 0x20, 0, 0), 28, Yes, "ORCHIDv2"),
    (v6(0x2001, 0x30, 0, 0), 28, Yes, "drone remote identification"),
    (v6(0x2001, 0xdb8, 0, 0), 32, No, "documentation"),
    (v6(0x2002, 0, 0, 0), 16, No, "6to4"),
    (v6(0x2620, 0x4f, 0x8000, 0), 48, Yes, "direct delegation AS112"),
    (v6(0x3fff, 0, 0, 0), 20, No, "documentation"),
    (v6(0x5f00, 0, 0, 0), 16, No, "segment routing"),
    (v6(0xfc00, 0, 0, 0), 7, No, "unique local"),
    (v6(0xfe80, 0, 0, 0), 10, No, "link local"),
    (v6(0xff00, 0, 0, 0), 8, No, "multicast"),
];

/// Whether an address is on the public Internet by the IANA registries.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    why_not_public(address).is_none()
}

/// The name of the range that makes an address not public.
pub(super) fn why_not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => {
            let bits = |address: Ipv4Addr| u128::from(address.to_bits()) << 96;
            let row = IPV4
                .iter()
                .map(|&(network, length, reachable, name)| (bits(network), length, reachable, name));
            verdict(most_specific(row, bits(address)), None)
        }
        IpAddr::V6(address) => {
            let row = IPV6
                .iter()
                .map(|&(network, length, reachable, name)| (network.to_bits(), length, reachable, name));
            verdict(most_specific(row, address.to_bits()), Some("not global unicast"))
                .or_else(|| nat64(address).and_then(|inner| why_not_public(inner.into())))
        }
    }
}

fn most_specific(rows: impl Iterator<Item = Row<u128>>, address: u128) -> Option<Row<u128>> {
    rows.filter(|&(network, length, ..)| {
        // A shift by 128 is a length of 0, which no row has.
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        address & mask == network
    })
    .max_by_key(|&(_, length, ..)| length)
}

fn verdict(row: Option<Row<u128>>, unlisted: Option<&'static str>) -> Option<&'static str> {
    match row {
        Some((_, _, Yes, _)) => None,
        Some((_, _, No, name)) => Some(name),
        None => unlisted,
    }
}

/// The IPv4 address inside 64:ff9b::/96 (RFC 6052 section 2.2).
fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{IPV4, IPV6, is_public, why_not_public};

    fn check(address: &str, expect: Option<&str>) {
        assert_eq!(why_not_public(address.parse().unwrap()), expect, "{address}");
        assert_eq!(is_public(address.parse().unwrap()), expect.is_none());
    }

    #[test]
    fn ipv4() {
        for public in ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"] {
            check(public, None);
        }
        for public in
            ["172.15.255.255", "172.32.0.0", "192.0.0.9", "192.0.0.10", "192.0.1.0", "223.255.255.255"]
        {
            check(public, None);
        }
        check("0.0.0.0", Some("this host"));
        check("0.255.255.255", Some("this network"));
        check("10.0.0.1", Some("private use"));
        check("10.255.255.255", Some("private use"));
        check("100.64.0.0", Some("shared address space"));
        check("100.127.255.255", Some("shared address space"));
        check("127.0.0.1", Some("loopback"));
        check("127.255.255.254", Some("loopback"));
        check("169.254.169.254", Some("link local"));
        check("172.16.0.1", Some("private use"));
        check("172.31.255.255", Some("private use"));
        check("192.0.0.7", Some("IPv4 service continuity"));
        check("192.0.0.8", Some("IPv4 dummy address"));
        check("192.0.0.11", Some("IETF protocol assignments"));
        check("192.0.0.170", Some("NAT64 discovery"));
        check("192.0.2.1", Some("documentation"));
        check("192.88.99.1", Some("deprecated 6to4 relay anycast"));
        check("192.168.1.1", Some("private use"));
        check("198.18.0.1", Some("benchmarking"));
        check("198.19.255.255", Some("benchmarking"));
        check("198.20.0.0", None);
        check("198.51.100.7", Some("documentation"));
        check("203.0.113.7", Some("documentation"));
        check("224.0.0.1", Some("multicast"));
        check("240.0.0.1", Some("reserved"));
        check("255.255.255.255", Some("limited broadcast"));
    }

    #[test]
    fn ipv6() {
        for public in
            ["2606:4700:4700::1111", "2a00:1450:4001::", "2001:200::1", "2001:1::1", "2001:4:112::1"]
        {
            check(public, None);
        }
        check("2001:20::1", None);
        check("2620:4f:8000::1", None);
        check("::", Some("unspecified"));
        check("::1", Some("loopback"));
        check("::ffff:8.8.8.8", Some("IPv4-mapped"));
        check("::127.0.0.1", Some("not global unicast"));
        check("64:ff9b::808:808", None);
        check("64:ff9b::7f00:1", Some("loopback"));
        check("64:ff9b::a9fe:a9fe", Some("link local"));
        check("64:ff9b:1::808:808", Some("local NAT64"));
        check("100::1", Some("discard only"));
        check("100:0:0:1::1", Some("dummy prefix"));
        check("2001::1", Some("Teredo"));
        check("2001:1::4", Some("IETF protocol assignments"));
        check("2001:2::1", Some("benchmarking"));
        check("2001:10::1", Some("deprecated ORCHID"));
        check("2001:db8::1", Some("documentation"));
        check("2002:7f00:1::", Some("6to4"));
        check("3fff::1", Some("documentation"));
        check("3fff:1000::1", None);
        check("4000::1", Some("not global unicast"));
        check("5f00::1", Some("segment routing"));
        check("fc00::1", Some("unique local"));
        check("fd12:3456::1", Some("unique local"));
        check("fe80::1", Some("link local"));
        check("fec0::1", Some("not global unicast"));
        check("ff02::1", Some("multicast"));
    }

    #[test]
    fn rows_have_no_bits_beyond_their_length() {
        for &(network, length, _, name) in IPV4 {
            assert!(length > 0 && network.to_bits().checked_shl(length).unwrap_or(0) == 0, "{name}");
        }
        for &(network, length, _, name) in IPV6 {
            assert!(length > 0 && network.to_bits().checked_shl(length).unwrap_or(0) == 0, "{name}");
        }
    }
}
