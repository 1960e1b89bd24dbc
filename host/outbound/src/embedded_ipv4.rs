//! IPv6 addresses that stand for an IPv4 address: what is connected to in the end is that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IPv4 addresses that an address leads to, and the address itself. All of them are judged.
pub(super) fn all_addresses(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let embedded = match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => embedded(ip),
    };
    std::iter::once(ip).chain(embedded.into_iter().flatten().map(IpAddr::V4))
}

/// By the forms of RFC 4291 section 2.5.5 (compatible, mapped), RFC 7915 (translated), RFC 6052 and
/// RFC 8215 (NAT64), RFC 3056 (6to4) and RFC 4380 (Teredo: its server, and its client inverted).
fn embedded(ip: Ipv6Addr) -> Option<[Ipv4Addr; 2]> {
    let at = |low: u32| Ipv4Addr::from_bits(u32::try_from(ip.to_bits() >> low & 0xffff_ffff).unwrap_or_default());
    let last = at(0);
    match ip.segments() {
        // The unspecified address and that of the machine itself are no IPv4 address.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some([last; 2]),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some([last; 2]),
        [0x2002, ..] => Some([at(80); 2]),
        [0x2001, 0, ..] => Some([at(64), Ipv4Addr::from_bits(!last.to_bits())]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_found_in_every_form() {
        for (ip, inside) in [
            ("::10.0.0.1", "10.0.0.1 10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1 10.0.0.1"),
            ("::ffff:0:10.0.0.1", "10.0.0.1 10.0.0.1"),
            ("64:ff9b::10.0.0.1", "10.0.0.1 10.0.0.1"),
            ("64:ff9b:1::10.0.0.1", "10.0.0.1 10.0.0.1"),
            ("64:ff9b:1:2:3:4:10.0.0.1", "10.0.0.1 10.0.0.1"),
            ("2002:0a00:0001::1", "10.0.0.1 10.0.0.1"),
            ("2001:0:0a00:1::f5ff:fffe", "10.0.0.1 10.0.0.1"),
            ("::1", ""),
            ("::", ""),
            ("2606:4700::1111", ""),
            ("10.0.0.1", ""),
        ] {
            let all: Vec<_> = all_addresses(ip.parse().expect("an address")).skip(1).map(|ip| ip.to_string()).collect();
            assert_eq!(all.join(" "), inside, "{ip}");
        }
    }
}
