//! Where the stand-in listens that answers for the whole internet while plugins are tried out.

use std::str::FromStr;

use url::{Host, Url};

/// `[http] stand-in`: a server on this machine that gets every outgoing request, whatever its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandInUrl(Url);

impl StandInUrl {
    /// Where it listens.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for StandInUrl {
    type Err = (String, String);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_loopback = |url: &Url| match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            _ => false,
        };
        let url = Url::parse(text).ok().filter(|url| url.scheme() == "http" && url.path() == "/" && is_loopback(url));
        url.map(Self).ok_or_else(|| {
            let help = "write like http://127.0.0.1:9000, or remove it: it is for trying plugins out";
            ("not an http URL of an address of this machine".to_owned(), help.to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_can_be_the_stand_in() {
        for text in ["http://127.0.0.1:9000", "http://[::1]:9000/"] {
            assert!(text.parse::<StandInUrl>().is_ok(), "{text}");
        }
        for text in ["https://127.0.0.1:9000", "http://10.0.0.1", "http://localhost:1", "http://127.0.0.1/x", "x", ""] {
            assert!(text.parse::<StandInUrl>().is_err(), "{text}");
        }
    }
}
