//! The URL of an account's API, checked: what a service says of it may lead nowhere but to the
//! hosts that the provider declares.
//!
//! Behind the feature `host-pattern`, like the patterns.

use std::{error::Error, fmt};

use serde_json::Value;
use url::{Host, Url};

use crate::{envelope::AccountApi, host_pattern::HostPattern};

/// Longest URL that is shown in words.
const LONGEST_SHOWN: usize = 200;

/// A service names a place for an account's API to which no call may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountUrlError {
    found: String,
    why: String,
}

impl fmt::Display for AccountUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found: String = self.found.chars().take(LONGEST_SHOWN).collect();
        write!(f, "the service says that the account's API is at `{}`, which {}", found.escape_debug(), self.why)
    }
}

impl Error for AccountUrlError {}

/// The URL of the API that a token response names; `None` if it names none.
///
/// # Errors
/// When it is not below one of the declared hosts.
pub fn account_url(api: &AccountApi, response: &Value) -> Result<Option<Url>, AccountUrlError> {
    let found = if api.pointer.is_empty() { None } else { response.pointer(&api.pointer) };
    match found {
        Some(Value::String(value)) if !value.is_empty() => account_url_of(api, value).map(Some),
        _ => Ok(None),
    }
}

/// The URL of the API for what an answer of the service has.
///
/// # Errors
/// When it is not below one of the declared hosts.
pub fn account_url_of(api: &AccountApi, value: &str) -> Result<Url, AccountUrlError> {
    let text = api.url.replace(AccountApi::VALUE, value.trim_end_matches('/'));
    check_account_url(api, &text).map_err(|why| AccountUrlError { found: text, why })
}

/// Checks the URL of an account's API.
///
/// # Errors
/// Why no call may go there.
pub fn check_account_url(api: &AccountApi, text: &str) -> Result<Url, String> {
    let Ok(url) = Url::parse(text) else { return Err("is not a URL".to_owned()) };
    let Some(Host::Domain(host)) = url.host() else { return Err("has no host by name".to_owned()) };
    if url.scheme() != "https" {
        return Err("is not https".to_owned());
    }
    if host.ends_with('.') || host.split('.').any(|label| label.starts_with("xn--")) {
        return Err("has a host that is not written plainly".to_owned());
    }
    // What was parsed must be what was written: no user, no port, no other spelling of a host.
    if format!("https://{host}{}", url.path()) != plainly_written(text) {
        return Err("is more than a host and a path, written plainly".to_owned());
    }
    let is_covered = |pattern: &String| pattern.parse().is_ok_and(|pattern: HostPattern| pattern.matches(&url));
    if !api.hosts.iter().any(is_covered) {
        return Err(format!("is not one of its hosts: {}", api.hosts.join(", ")));
    }
    Ok(url)
}

/// The same text with its scheme and host in small letters, and with a path.
fn plainly_written(text: &str) -> String {
    let path = text.match_indices('/').nth(2).map_or(text.len(), |(at, _)| at);
    let (origin, path) = text.split_at(path);
    format!("{}{}", origin.to_ascii_lowercase(), if path.is_empty() { "/" } else { path })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn salesforce() -> AccountApi {
        AccountApi::new("/instance_url", ["*.salesforce.com", "*.force.com"]).url("{value}/services/data/")
    }

    fn found(api: &AccountApi, value: &str) -> Result<String, String> {
        account_url_of(api, value).map(String::from).map_err(|error| error.to_string())
    }

    #[test]
    fn the_account_that_the_response_names_is_reached_below_the_declared_hosts() {
        let there = "https://acme.my.salesforce.com/services/data/";
        for value in
            ["https://acme.my.salesforce.com", "https://acme.my.salesforce.com/", "HTTPS://Acme.My.SalesForce.com"]
        {
            assert_eq!(found(&salesforce(), value).as_deref(), Ok(there), "{value}");
        }
        let response = |value: Value| account_url(&salesforce(), &json!({"instance_url": value}));
        assert!(response(json!("https://a.force.com")).is_ok_and(|url| url.is_some()));
        for nothing in [json!(null), json!(""), json!(7), json!({"url": "https://a.force.com"})] {
            assert_eq!(response(nothing), Ok(None));
        }
        assert_eq!(account_url(&salesforce(), &json!({})), Ok(None));
        let mailchimp = AccountApi::new("/dc", ["*.api.mailchimp.com"]).url("https://{value}.api.mailchimp.com/3.0/");
        assert_eq!(found(&mailchimp, "us6").as_deref(), Ok("https://us6.api.mailchimp.com/3.0/"));
        let wrong = found(&mailchimp, "evil.example/?").expect_err("it leads elsewhere");
        assert!(wrong.contains("more than a host and a path"), "{wrong}");
    }

    #[test]
    fn what_leads_elsewhere_is_refused_in_words() {
        for (value, why) in [
            ("https://evil.example", "is not one of its hosts: *.salesforce.com, *.force.com"),
            ("https://salesforce.com", "is not one of its hosts: *.salesforce.com, *.force.com"),
            ("https://acme.my.salesforce.com.evil.example", "is not one of its hosts: *.salesforce.com, *.force.com"),
            ("https://evilsalesforce.com", "is not one of its hosts: *.salesforce.com, *.force.com"),
            ("http://acme.my.salesforce.com", "is not https"),
            ("ftp://acme.my.salesforce.com", "is not https"),
            ("https://acme.my.salesforce.com:8443", "is more than a host and a path, written plainly"),
            ("https://acme.my.salesforce.com:443", "is more than a host and a path, written plainly"),
            ("https://me@acme.my.salesforce.com", "is more than a host and a path, written plainly"),
            ("https://acme.my.salesforce.com@evil.example", "is more than a host and a path, written plainly"),
            ("https://acme.my.salesforce.com\\@evil.example", "is more than a host and a path, written plainly"),
            ("https:acme.my.salesforce.com", "is more than a host and a path, written plainly"),
            ("https://acme.my.salesforce.com/../x", "is more than a host and a path, written plainly"),
            ("https://acme.my.salesforce.com?x=", "is more than a host and a path, written plainly"),
            ("https://acme.my.salesforce.com#x", "is more than a host and a path, written plainly"),
            ("https://acme.my.salesforce.com\n", "is more than a host and a path, written plainly"),
            ("https://acme%2emy.salesforce.com", "is more than a host and a path, written plainly"),
            ("https://acme\u{3002}my.salesforce.com", "is more than a host and a path, written plainly"),
            ("https://\u{e4}cme.salesforce.com", "has a host that is not written plainly"),
            ("https://xn--cme-pla.salesforce.com", "has a host that is not written plainly"),
            ("https://acme.salesforce.com.", "has a host that is not written plainly"),
            ("https://127.0.0.1", "has no host by name"),
            ("https://2130706433", "has no host by name"),
            ("https://[::1]", "has no host by name"),
            ("acme.my.salesforce.com", "is not a URL"),
            ("javascript:alert(1)", "has no host by name"),
        ] {
            let said = found(&salesforce(), value).expect_err("it leads elsewhere");
            assert!(said.ends_with(&format!("which {why}")), "{value}: {said}");
        }
    }
}
