//! `[system] trusted-proxies`: whose word the host takes for the address of a client.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::{
    config_value::ConfigValue,
    networks::{warn_of_everything, wrong_bits},
};

/// Networks of the proxies in front of the host. Empty: the host takes nobody's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(super) fn read(value: &ConfigValue<'_>) -> Option<Self> {
        let network = |(text, item): (String, ConfigValue<'_>)| {
            let Some(network) = network(&text) else {
                item.report("neither an address nor a network", "write like 127.0.0.1 or 10.0.0.0/8");
                return None;
            };
            if let Some((message, help)) = wrong_bits(&network) {
                item.report(message, help);
                return None;
            }
            warn_of_everything(&item, &network, "each client says itself which address it has");
            Some(network)
        };
        Some(Self(value.texts()?.into_iter().filter_map(network).collect()))
    }

    /// Whether this address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of the client: the nearest hop that is not one of these proxies. `forwarded`
    /// are the values of `X-Forwarded-For` in their order, each a list. Each proxy adds the
    /// address that it was called from at the end. What stands before the first stranger, the
    /// stranger may have invented.
    #[must_use]
    pub fn client<'a>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in forwarded.rev().flat_map(|list| list.rsplit(',')) {
            if !self.contains(client) {
                break;
            }
            let Some(address) = hop_address(hop) else { break };
            client = address.to_canonical();
        }
        client
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse()).ok()
}

/// With a port or without: some proxies add it.
fn hop_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    bare.or_else(|| text.parse::<SocketAddr>().map(|address| address.ip()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies(networks.iter().map(|text| network(text).expect("a network")).collect())
    }

    #[test]
    fn the_client_is_the_nearest_hop_that_is_no_proxy_of_ours() {
        let ours = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"];
        let cases: [(&[&str], &str, &[&str], &str); 13] = [
            (&[], "127.0.0.1", &["203.0.113.7"], "127.0.0.1"),
            (&ours, "203.0.113.7", &["198.51.100.1"], "203.0.113.7"),
            (&ours, "127.0.0.1", &[], "127.0.0.1"),
            (&ours, "127.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            (&ours, "::ffff:127.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            (&ours, "127.0.0.1", &["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
            (&ours, "127.0.0.1", &["6.6.6.6", "203.0.113.7, 10.1.1.1"], "203.0.113.7"),
            (&ours, "127.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            (&ours, "127.0.0.1", &["[2001:db8::1]:4711, fd00::1"], "2001:db8::1"),
            (&ours, "127.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            (&ours, "127.0.0.1", &["6.6.6.6, unknown, 10.1.1.1"], "10.1.1.1"),
            (&ours, "127.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
            (&ours, "127.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ];
        for (trusted, peer, forwarded, client) in cases {
            let found = proxies(trusted).client(peer.parse().expect("an address"), forwarded.iter().copied());
            assert_eq!(found.to_string(), client, "{peer} {forwarded:?}");
        }
    }
}
