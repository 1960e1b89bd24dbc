//! Which addresses the host may connect to.
//!
//! They are checked twice: before a request, where the port is known, and in the resolver. So the
//! client connects only to addresses that were checked, whatever the name resolves to by then (DNS
//! rebinding).

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, LazyLock},
};

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use jackfield_config::AllowPrivate;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::{OutboundError, embedded_ipv4::all_addresses};

/// Refuses private addresses and plain http, except where the operator allows them.
pub(super) struct AddressGuard {
    allowed: Vec<AllowPrivate>,
    lookup: Lookup,
}

/// Resolves a name and a port to addresses.
pub(super) type Lookup = Box<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

fn system_lookup() -> Lookup {
    Box::new(|name, port| Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) }))
}

impl AddressGuard {
    pub(super) fn new(allowed: Vec<AllowPrivate>) -> Self {
        Self::with_lookup(allowed, system_lookup())
    }

    pub(super) const fn with_lookup(allowed: Vec<AllowPrivate>, lookup: Lookup) -> Self {
        Self { allowed, lookup }
    }

    /// Refuses a URL if its scheme, or any address of its host, is not permitted.
    pub(super) async fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let port = url.port_or_known_default().ok_or(OutboundError::Url)?;
        let host = url.host().ok_or(OutboundError::Url)?;
        let name = host.to_string();
        for ip in self.addresses(&host, port).await? {
            let is_allowed = self.allows(&name, ip, Some(port));
            if !is_allowed && !is_public(ip) {
                return Err(OutboundError::PrivateAddress(name));
            }
            if !is_allowed && url.scheme() != "https" {
                return Err(OutboundError::PlainHttp(name));
            }
        }
        Ok(())
    }

    /// Why a URL is refused, whatever its name resolves to. `None` if that depends on it.
    pub(super) fn refuses(&self, url: &Url) -> Option<OutboundError> {
        let port = url.port_or_known_default();
        let ip = match url.host()? {
            Host::Ipv4(ip) => IpAddr::from(ip),
            Host::Ipv6(ip) => IpAddr::from(ip),
            Host::Domain(name) => {
                let may_be_allowed = self.allowed.iter().any(|entry| entry.may_cover_a_name(name));
                return (url.scheme() == "http" && !may_be_allowed).then(|| OutboundError::PlainHttp(name.to_owned()));
            }
        };
        let name = url.host()?.to_string();
        if self.allows(&name, ip, port) {
            None
        } else if !is_public(ip) {
            Some(OutboundError::PrivateAddress(name))
        } else {
            (url.scheme() != "https").then_some(OutboundError::PlainHttp(name))
        }
    }

    async fn addresses(&self, host: &Host<&str>, port: u16) -> Result<Vec<IpAddr>, OutboundError> {
        match host {
            Host::Ipv4(ip) => Ok(vec![(*ip).into()]),
            Host::Ipv6(ip) => Ok(vec![(*ip).into()]),
            Host::Domain(name) => {
                let found = (self.lookup)((*name).to_owned(), port).await;
                let found = found.map_err(|error| OutboundError::Resolve((*name).to_owned(), error))?;
                Ok(found.into_iter().map(|address| address.ip()).collect())
            }
        }
    }

    /// The ports that the operator has bound allowances to.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> {
        self.allowed.iter().filter_map(AllowPrivate::port)
    }

    /// Whether the operator allows this host or address, with every address that it leads to;
    /// without a port, on every port.
    fn allows(&self, host: &str, ip: IpAddr, port: Option<u16>) -> bool {
        let is_allowed = |ip| self.allowed.iter().any(|entry| entry.covers(host, ip, port));
        let ip = ip.to_canonical();
        is_allowed(ip) && all_addresses(ip).all(|ip| is_allowed(ip) || is_public_itself(ip))
    }
}

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Https,
    /// Without TLS.
    Http,
}

/// Resolves a name to only those addresses that the guard permits for a scheme and a port; without
/// a port, for every port.
pub(super) struct GuardedResolver {
    guard: Arc<AddressGuard>,
    scheme: Scheme,
    port: Option<u16>,
}

impl GuardedResolver {
    pub(super) const fn new(guard: Arc<AddressGuard>, scheme: Scheme, port: Option<u16>) -> Self {
        Self { guard, scheme, port }
    }
}

impl Scheme {
    /// Whether the address needs no allowance by the operator.
    fn permits_by_default(self, ip: IpAddr) -> bool {
        self == Self::Https && is_public(ip)
    }

    fn refused(self, name: &str) -> OutboundError {
        match self {
            Self::Https => OutboundError::PrivateAddress(name.to_owned()),
            Self::Http => OutboundError::PlainHttp(name.to_owned()),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, scheme, port) = (self.guard.clone(), self.scheme, self.port);
        Box::pin(async move {
            let found = (guard.lookup)(name.as_str().to_owned(), 0).await?;
            let permitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|at| scheme.permits_by_default(at.ip()) || guard.allows(name.as_str(), at.ip(), port))
                .collect();
            if permitted.is_empty() {
                return Err(scheme.refused(name.as_str()).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Networks that are not on the public internet, from the IANA special-purpose address registries
/// (RFC 6890 and its successors).
static SPECIAL_PURPOSE: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ]
    .iter()
    .map(|net| net.parse().expect("the table holds valid networks"))
    .collect()
});

/// Whether an address is on the public internet, with every address that it leads to. An IPv4
/// address mapped into IPv6 counts as IPv4.
fn is_public(ip: IpAddr) -> bool {
    all_addresses(ip.to_canonical()).all(is_public_itself)
}

fn is_public_itself(ip: IpAddr) -> bool {
    !SPECIAL_PURPOSE.iter().any(|net| net.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_purpose_addresses_are_not_public() {
        for ip in [
            "127.0.0.1",
            "10.0.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "::10.0.0.1",
            "::8.8.8.8",
            "::ffff:0:127.0.0.1",
            "::ffff:0:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::10.0.0.1",
            "64:ff9b:1:ffff::7f00:1",
            "2001:0:7f00:1::",
            "2001::80ff:fffe",
            "ff02::1",
        ] {
            assert!(!is_public(ip.parse().expect("an address")), "{ip}");
        }
    }

    #[test]
    fn other_addresses_are_public() {
        for ip in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.169.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
    }
}
