//! Which hosts a provider may reach: one rule for hosts and for the harness that authors test with.
//!
//! Behind the feature `host-pattern`, so that a plugin library does not link a URL parser for it.

use std::{error::Error, fmt, str::FromStr};

use serde_json::Value;
use url::Url;

use crate::envelope::{CreateOut, FieldType, Form, OAuth2, State, StepKind};

/// The hosts that a provider requests: those it declares, those of its OAuth 2.0 token endpoints,
/// refresh URLs and issuers and of its API, and those of URLs in its options. The hosts that an
/// issuer's metadata name are not among them: only the host itself sends requests there.
///
/// # Errors
/// The declared text that is no host.
pub fn requested_hosts(description: &CreateOut, options: &State) -> Result<Vec<HostPattern>, String> {
    let mut hosts = Vec::new();
    for host in &description.hosts {
        hosts.push(host.parse().map_err(|_: HostPatternError| host.clone())?);
    }
    let endpoints = description.steps.iter().filter_map(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => Some(&**oauth2),
        StepKind::View | StepKind::OAuth2FromState | StepKind::Unknown => None,
    });
    let urls = endpoints.flat_map(|OAuth2 { token_url, refresh_url, issuer, .. }| {
        [Some(token_url), refresh_url.as_ref(), issuer.as_ref()]
    });
    hosts.extend(urls.flatten().filter_map(|url| host_of(url)));
    hosts.extend(description.api.iter().filter_map(|api| host_of(&api.url)));
    let mut texts = Vec::new();
    options.values().for_each(|value| collect_texts(value, &mut texts));
    hosts.extend(texts.into_iter().filter_map(host_of));
    Ok(hosts)
}

/// The names of the fields of a form in which a person can write a URL.
#[must_use]
pub fn url_fields(form: &Form) -> Vec<String> {
    let takes_url = |field_type| matches!(field_type, FieldType::Text | FieldType::Select);
    form.fields.iter().filter(|field| takes_url(field.field_type)).map(|field| field.name.clone()).collect()
}

/// The hosts of the http and https URLs that a person posts in these fields.
#[must_use]
pub fn hosts_in_fields(form: &[(String, String)], fields: &[String]) -> Vec<HostPattern> {
    form.iter().filter(|(name, _)| fields.contains(name)).filter_map(|(_, value)| host_of(value)).collect()
}

/// Those of the hosts that a person has named which a step has bound: as a URL, or by name.
#[must_use]
pub fn bound_hosts(mut named: Vec<HostPattern>, before: &State, after: &State) -> Vec<HostPattern> {
    let mut words = Vec::new();
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    changed.for_each(|(_, value)| collect_texts(value, &mut words));
    named.retain(|host| words.iter().any(|word| host.is_named_by(word)));
    named
}

/// The hosts of URLs.
#[must_use]
pub fn hosts_of(urls: &[String]) -> Vec<HostPattern> {
    urls.iter().filter_map(|url| host_of(url)).collect()
}

fn collect_texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, found)),
        Value::Object(table) => table.values().for_each(|item| collect_texts(item, found)),
        _ => {}
    }
}

fn host_of(text: &str) -> Option<HostPattern> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    HostPattern::from_url(&url)
}

/// A host, all hosts below a domain, or any host, each on any port or on one: `api.example.com`,
/// `*.example.com:8443`, `*`.
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
    /// The host and port of a URL. `None` if it has no host, or one that would be read as a
    /// pattern: `https://*/` is a URL.
    #[must_use]
    pub fn from_url(url: &Url) -> Option<Self> {
        let host = url.host_str().filter(|host| !host.contains('*'))?;
        Some(Self { host: Name::Exactly(host.to_ascii_lowercase()), port: url.port_or_known_default() })
    }

    /// Whether it is one host, and not all of a kind.
    #[must_use]
    pub const fn is_one_host(&self) -> bool {
        matches!(self.host, Name::Exactly(_))
    }

    /// Whether a text is a URL of this host and port, or is the host, with or without the port.
    fn is_named_by(&self, text: &str) -> bool {
        let Name::Exactly(host) = &self.host else { return false };
        host_of(text).as_ref() == Some(self) || text.eq_ignore_ascii_case(host) || *text == self.to_string()
    }

    /// Whether the host and port of a URL match.
    #[must_use]
    pub fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let is_host = match &self.host {
            Name::Any => true,
            Name::Exactly(name) => *name == host,
            Name::Below(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
        };
        is_host && (self.port.is_none() || self.port == url.port_or_known_default())
    }
}

/// A text is no [`HostPattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPatternError;

impl HostPatternError {
    /// What to write instead.
    pub const HELP: &str =
        "write like api.example.com, *.example.com or *, each with or without a port, and without https://";
}

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a host")
    }
}

impl Error for HostPatternError {}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address are in brackets.
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().map_err(|_| HostPatternError)?)),
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

fn name(text: &str) -> Result<String, HostPatternError> {
    let is_good = url::Host::parse(text).is_ok() && !text.contains('*');
    if is_good { Ok(text.to_owned()) } else { Err(HostPatternError) }
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
    fn patterns_match_what_they_say() {
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
        for (pattern, url, is_match) in cases {
            let parsed: HostPattern = pattern.parse().expect("a pattern");
            assert_eq!(parsed.matches(&url.parse().expect("a URL")), is_match, "{pattern} {url}");
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
    fn the_host_of_a_url_matches_that_url_and_no_other_port() {
        let url: Url = "https://git.example.com:8443/api".parse().expect("a URL");
        let pattern = HostPattern::from_url(&url).expect("it has a host");
        assert!(pattern.matches(&url));
        assert!(!pattern.matches(&"https://git.example.com:9000/".parse().expect("a URL")));
        let url: Url = "https://git.example.com/api".parse().expect("a URL");
        let pattern = HostPattern::from_url(&url).expect("it has a host");
        assert!(pattern.matches(&url));
        for other in ["https://git.example.com:8443/api", "http://git.example.com/api"] {
            assert!(!pattern.matches(&other.parse().expect("a URL")), "the default port is one port: {other}");
        }
    }

    #[test]
    fn a_form_names_the_hosts_of_the_urls_in_its_fields() {
        let values = [
            "https://git.example:8443/group",
            " http://own.example ",
            "git.example",
            "ftp://x.example",
            "javascript:1",
            "https://*/",
            "https://*.example.com/",
        ];
        let form = values.map(|value| ("a".to_owned(), value.to_owned())).to_vec();
        let hosts = |fields: &[&str]| -> Vec<String> {
            let fields: Vec<String> = fields.iter().map(|name| (*name).to_owned()).collect();
            hosts_in_fields(&form, &fields).iter().map(HostPattern::to_string).collect()
        };
        assert_eq!(hosts(&["b", "a"]), ["git.example:8443", "own.example:80"]);
        assert!(hosts(&["b"]).is_empty() && hosts(&[]).is_empty(), "a field that the plugin has not declared");
    }

    #[test]
    fn a_person_writes_urls_in_text_and_not_in_passwords() {
        use crate::envelope::Field;

        let form = Form::new("Which?")
            .field(Field::text("url", "URL"))
            .field(Field::new(FieldType::Password, "secret", "Secret"))
            .field(Field::new(FieldType::Select, "instance", "Instance"))
            .field(Field::new(FieldType::Number, "count", "Count"));
        assert_eq!(url_fields(&form), ["url", "instance"]);
    }

    #[test]
    fn of_the_hosts_that_were_named_those_that_are_bound_count() {
        use serde_json::json;

        let state = |value: Value| value.as_object().cloned().expect("an object");
        let named = || hosts_of(&["https://git.example:8443/x".into(), "http://10.0.0.5:8500/".into()]);
        let cases = [
            (json!({}), json!({"url": "https://Git.example:8443"}), 1),
            (json!({}), json!({"deep": [{"host": "git.example"}]}), 1),
            (json!({}), json!({"host": "git.example:8443"}), 1),
            (json!({}), json!({"url": "https://git.example"}), 0),
            (json!({}), json!({"text": "see https://git.example:8443"}), 0),
            (json!({}), json!({"a": "https://git.example:8443", "b": "http://10.0.0.5:8500/v1"}), 2),
            (json!({"a": "git.example"}), json!({"a": "git.example"}), 0),
            (json!({"a": "git.example"}), json!({}), 0),
        ];
        for (before, after, count) in cases {
            assert_eq!(bound_hosts(named(), &state(before), &state(after.clone())).len(), count, "{after}");
        }
    }

    #[test]
    fn declared_hosts_token_endpoint_issuer_api_and_urls_of_options_are_requested() {
        use crate::envelope::{Api, Step};

        let oauth2 =
            OAuth2::new("https://login.example/authorize", "https://token.example/").issuer("https://issuer.example/a");
        let oauth2 = oauth2.refresh_url("https://refresh.example/");
        let step = Step { name: "oauth2".into(), kind: StepKind::OAuth2(Box::new(oauth2)) };
        let mut description =
            CreateOut { hosts: vec!["api.example".into()], steps: vec![step], ..CreateOut::default() };
        description.api = Some(Api::new("https://calls.example/v1/"));
        let options = serde_json::json!({"a": {"b": ["https://own.example:8443/x"]}, "c": "no url", "d": 3});
        let options = options.as_object().expect("an object");
        let requested =
            requested_hosts(&description, options).expect("hosts").iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            requested,
            [
                "api.example",
                "token.example:443",
                "refresh.example:443",
                "issuer.example:443",
                "calls.example:443",
                "own.example:8443"
            ]
        );
        description.hosts.push("https://api.example".into());
        assert_eq!(super::requested_hosts(&description, options), Err("https://api.example".to_owned()));
    }
}
