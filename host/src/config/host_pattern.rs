//! Which hosts somebody may talk to, as people write it.

use std::{fmt, str::FromStr};

use url::Url;

/// A host, all hosts below a domain, or any host, each on any or on one port: `api.example.com`, `*.example.com:8443`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPattern {
    host: Name,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Any,
    Exactly(String),
    Below(String),
}

impl HostPattern {
    /// Exactly the host and port that a URL leads to; `None` where it leads to none.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let host = Name::Exactly(url.host_str()?.to_ascii_lowercase());
        Some(Self { host, port: url.port() })
    }

    /// Whether a URL leads there.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let is_host = match &self.host {
            Name::Any => true,
            Name::Exactly(name) => *name == host,
            Name::Below(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
        };
        is_host && (self.port.is_none() || self.port == url.port_or_known_default())
    }
}

impl FromStr for HostPattern {
    type Err = (String, String);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address are inside its brackets.
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().map_err(|_| refused())?)),
            _ => (text, None),
        };
        let host = match host.to_ascii_lowercase() {
            any if any == "*" => Name::Any,
            below if below.starts_with("*.") => Name::Below(name(&below[2..])?),
            exactly => Name::Exactly(name(&exactly)?),
        };
        Ok(Self { host, port })
    }
}

fn name(text: &str) -> Result<String, (String, String)> {
    let is_good = url::Host::parse(text).is_ok() && !text.contains('*');
    if is_good { Ok(text.to_owned()) } else { Err(refused()) }
}

fn refused() -> (String, String) {
    let message = "not a host".to_owned();
    (
        message,
        "write like api.example.com, *.example.com or *, each with or without a port, and without https://".to_owned(),
    )
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Name::Any => f.write_str("*")?,
            Name::Exactly(name) => f.write_str(name)?,
            Name::Below(domain) => write!(f, "*.{domain}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_they_say() {
        let cases = [
            ("api.example.com", "https://api.example.com/x", true),
            ("API.example.com", "https://api.EXAMPLE.com/", true),
            ("api.example.com", "https://api.example.com:8443/", true),
            ("api.example.com:443", "https://api.example.com/", true),
            ("api.example.com:443", "https://api.example.com:8443/", false),
            ("api.example.com", "https://evil-api.example.com/", false),
            ("api.example.com", "https://api.example.com.evil.example/", false),
            ("api.example.com", "https://api.example.com@evil.example/", false),
            ("*.example.com", "https://a.b.example.com/", true),
            ("*.example.com", "https://example.com/", false),
            ("*.example.com", "https://badexample.com/", false),
            ("*.example.com:8443", "https://a.example.com:8443/", true),
            ("*", "http://127.0.0.1:1/", true),
            ("127.0.0.1:80", "http://127.0.0.1/", true),
            ("[::1]:80", "http://[::1]/", true),
            ("[::1]", "http://[::1]:8000/", true),
        ];
        for (pattern, url, covered) in cases {
            let parsed: HostPattern = pattern.parse().expect("a pattern");
            assert_eq!(parsed.covers(&url.parse().expect("a URL")), covered, "{pattern} {url}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{pattern} is written as it is read");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "https://a.example", "a.example/x", "*.", "a.*.example", "a:b", "a b", "**"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_host_of_a_url_covers_that_url_and_no_other_port() {
        let url: Url = "https://git.example.com:8443/api".parse().expect("a URL");
        let pattern = HostPattern::of(&url).expect("it has a host");
        assert!(pattern.covers(&url));
        assert!(!pattern.covers(&"https://git.example.com:9000/".parse().expect("a URL")));
    }
}
