//! `[system] url-prefix`: the URL under which the outside world sees the host.

use std::{fmt, str::FromStr};

use url::{Host, Url};

/// An http or https URL without path, query and fragment. Redirect URIs and the dialog's origin are
/// made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPrefix(Url);

impl UrlPrefix {
    /// Scheme, host and port, as browsers name an origin.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether people use the host over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether only browsers on this machine reach it: no network carries its loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    /// The absolute URL of a path that begins with `/`.
    #[must_use]
    pub fn absolute(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for UrlPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for UrlPrefix {
    type Err = (String, String);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = || "write what people type into the browser, like https://jackfield.example.com".to_owned();
        let refused = |message: &str| Err((message.to_owned(), help()));
        let Ok(url) = Url::parse(text) else { return refused("not an absolute URL") };
        match url {
            url if !matches!(url.scheme(), "http" | "https") => refused("neither an http nor an https URL"),
            url if url.query().is_some() || url.fragment().is_some() => refused("has a query or a fragment"),
            url if !url.username().is_empty() || url.password().is_some() => refused("has a user name or password"),
            url if is_unspecified(&url) => Err((
                "0.0.0.0 stands for all addresses of this machine, and nobody can type it".to_owned(),
                "write the name or address that people type, like http://127.0.0.1:8000; `listen` may be 0.0.0.0"
                    .to_owned(),
            )),
            url if url.path() != "/" => refused("has a path: the host serves the root of an origin"),
            url => Ok(Self(url)),
        }
    }
}

fn is_unspecified(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_unspecified(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_origins() {
        for (text, shown) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("https://Jackfield.example/", "https://jackfield.example"),
            ("https://jackfield.example:443", "https://jackfield.example"),
        ] {
            let prefix: UrlPrefix = text.parse().expect("a prefix");
            assert_eq!((prefix.to_string(), prefix.origin()), (shown.to_owned(), shown.to_owned()));
            assert_eq!(prefix.absolute("/extensions/slack/setup/"), format!("{shown}/extensions/slack/setup/"));
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "jackfield.example",
            "ftp://a",
            "https://a/?b",
            "https://a/#b",
            "https://a:b@c",
            "https://a/b",
            "",
            "http://0.0.0.0:8000",
            "http://[::]:8000",
        ] {
            assert!(text.parse::<UrlPrefix>().is_err(), "{text}");
        }
    }
}
