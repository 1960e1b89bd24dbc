//! Reads and checks the keys of a declaration that say where the service's API is.

use http::{HeaderName, HeaderValue};
use jackfield_plugin_abi::{
    envelope::{AccountApi, Api, Pairs},
    host_pattern::{HostPattern, HostPatternError},
};
use url::Url;

use super::{
    declaration::{Account, AccountSource},
    declaration_reader::Reader,
    placeholder,
};
use crate::json_path::JsonPath;

impl Reader<'_> {
    /// The service's own API, and where the account's answer says that the account's is.
    pub(super) fn api(&mut self, account: &Account) -> (Option<Api>, Option<JsonPath>) {
        let api = self.common_api();
        match self.account_api(account) {
            Some((location, path)) => (Some(api.account(location)), path),
            None => (Some(api).filter(|api| !api.url.is_empty()), None),
        }
    }

    /// The API of all accounts. Its URL is empty if there is none, or if it waits for an option.
    fn common_api(&mut self) -> Api {
        let url = self.url("api-url");
        let headers = self.table.pairs("api-headers");
        self.check_headers("api-headers", &headers);
        let is_waiting = placeholder::words(&url).next().is_some();
        if !is_waiting && Url::parse(&url).is_ok_and(|url| has_more_than_a_path(&url)) {
            let help = "write where its paths begin, like https://api.acme.example/v1/";
            self.table.note("api-url", "an API's URL has neither query nor fragment, and no user", help);
        }
        let mut api = Api::new(if is_waiting { "" } else { &url });
        api.headers = headers.into_iter().map(|(name, value)| (name, self.filled("api-headers", &value))).collect();
        api
    }

    /// Where the service says that the API of one account is: in the token answer, which the host
    /// reads, or in that of the account.
    fn account_api(&mut self, account: &Account) -> Option<(AccountApi, Option<JsonPath>)> {
        let mut table = self.table.table("api-location")?;
        let from = table.choice("from", &[("token", true), ("account", false)]).unwrap_or(true);
        let path = table.required_text("path", "write where the answer has it, like `instance_url`");
        let hosts = table.texts("hosts").unwrap_or_default();
        let url = table.text("url").unwrap_or_else(|| format!("{}/", AccountApi::VALUE));
        table.finish();
        self.check_location(&hosts, &url);
        let path = JsonPath::new(path);
        // The account's answer is the token answer where there is no other.
        let is_of_token = from || matches!(account.source, AccountSource::Token);
        let pointer = if is_of_token { path.pointer() } else { String::new() };
        Some((AccountApi::new(pointer, hosts).url(url), Some(path).filter(|_| !is_of_token)))
    }

    fn check_location(&self, hosts: &[String], url: &str) {
        const HELP: &str = "write the service's own hosts, like [\"*.my.acme.example\"]";
        if hosts.is_empty() {
            self.table.note("api-location.hosts", "missing", HELP);
        }
        let is_host = |host: &String| host.parse::<HostPattern>().is_ok() && host != "*" && !host.contains(':');
        if !hosts.iter().all(is_host) {
            self.table.note("api-location.hosts", "not a host, or one with a port, or any host", HELP);
        }
        if !url.contains(AccountApi::VALUE) || url.starts_with("http:") {
            let help = "write like \"{value}/api/\" or \"https://{value}.api.acme.example/\"";
            self.table.note("api-location.url", "without {value}, or not https", help);
        }
    }

    pub(super) fn api_hosts(&mut self) -> Vec<String> {
        let texts = self.table.texts("api-hosts").unwrap_or_default();
        let mut hosts: Vec<String> = texts.iter().map(|host| self.filled("api-hosts", host)).collect();
        hosts.retain(|host| placeholder::words(host).next().is_none());
        if hosts.iter().any(|host| host.parse::<HostPattern>().is_err()) {
            self.table.note("api-hosts", HostPatternError.to_string(), HostPatternError::HELP);
        }
        hosts
    }

    /// A header that cannot be sent would fail each call.
    fn check_headers(&self, key: &str, headers: &Pairs) {
        for (name, value) in headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                let help = "write one of letters, digits and -, like x-version";
                self.table.note(&format!("{key}.{name}"), "not a header's name", help);
            }
            if HeaderValue::from_str(value).is_err() {
                let help = "write it on one line, without control characters";
                self.table.note(&format!("{key}.{name}"), "not a header's value", help);
            }
        }
    }
}

fn has_more_than_a_path(url: &Url) -> bool {
    let has_user = !url.username().is_empty() || url.password().is_some();
    url.query().is_some() || url.fragment().is_some() || has_user
}
