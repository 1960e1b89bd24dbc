//! `[http] allow-private`: which private addresses the outgoing client may connect to.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

use super::networks::wrong_bits;

/// One entry of `[http] allow-private`: an address, a network or a host name, each with or without
/// a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowPrivate {
    target: Target,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Network(IpNet),
    Host(String),
}

impl AllowPrivate {
    /// The network, if it is one.
    pub(super) const fn network(&self) -> Option<&IpNet> {
        match &self.target {
            Target::Network(network) => Some(network),
            Target::Host(_) => None,
        }
    }

    /// Whether the entry names a network: then a name may lead to one of its addresses.
    #[must_use]
    pub fn may_cover_a_name(&self, name: &str) -> bool {
        match &self.target {
            Target::Network(_) => true,
            Target::Host(host) => host.eq_ignore_ascii_case(name),
        }
    }

    /// The port it is limited to.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the entry covers an address that `host` resolves to. `port` is `None` if it must
    /// cover every port.
    #[must_use]
    pub fn covers(&self, host: &str, ip: IpAddr, port: Option<u16>) -> bool {
        let is_port = self.port.is_none() || self.port == port;
        is_port
            && match &self.target {
                Target::Network(network) => network.contains(&ip),
                Target::Host(name) => name.eq_ignore_ascii_case(host),
            }
    }
}

impl FromStr for AllowPrivate {
    type Err = (String, String);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(target) = network(text.trim_matches(['[', ']'])) {
            return with_whole_network(Self { target, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong_entry())?)),
            None => (text, None),
        };
        let target = network(host.trim_matches(['[', ']'])).or_else(|| name(host)).ok_or_else(wrong_entry)?;
        with_whole_network(Self { target, port })
    }
}

fn with_whole_network(entry: AllowPrivate) -> Result<AllowPrivate, (String, String)> {
    entry.network().and_then(wrong_bits).map_or(Ok(entry), Err)
}

fn network(text: &str) -> Option<Target> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    single.or_else(|_| text.parse::<IpNet>()).ok().map(Target::Network)
}

fn name(text: &str) -> Option<Target> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!text.is_empty() && text.bytes().all(is_allowed)).then(|| Target::Host(text.to_owned()))
}

fn wrong_entry() -> (String, String) {
    let message = "neither an address, a network nor a host name".to_owned();
    (message, "write like 10.1.2.3, 10.0.0.0/8, slack.internal or slack.internal:8443".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_cover_what_they_say() {
        let cases = [
            ("127.0.0.1", "127.0.0.1", "127.0.0.1", 80, true),
            ("127.0.0.1", "127.0.0.2", "127.0.0.2", 80, false),
            ("127.0.0.1:80", "127.0.0.1", "127.0.0.1", 80, true),
            ("127.0.0.1:80", "127.0.0.1", "127.0.0.1", 81, false),
            ("10.0.0.0/8", "a.example", "10.9.9.9", 443, true),
            ("::1", "[::1]", "::1", 443, true),
            ("[::1]:443", "[::1]", "::1", 443, true),
            ("Slack.internal", "slack.internal", "10.1.1.1", 443, true),
            ("slack.internal:8443", "slack.internal", "10.1.1.1", 443, false),
            ("slack.internal", "evil.example", "10.1.1.1", 443, false),
        ];
        for (entry, host, ip, port, covered) in cases {
            let parsed: AllowPrivate = entry.parse().expect("an entry");
            assert_eq!(parsed.covers(host, ip.parse().expect("an address"), Some(port)), covered, "{entry} {host}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "http://a", "a b", "a:b", "10.0.0.0/99", "10.1.2.3/8", "[fd00::1/8]:443"] {
            assert!(text.parse::<AllowPrivate>().is_err(), "{text}");
        }
    }
}
