//! A checked declaration.

use jackfield_plugin_abi::{
    envelope::{Api, Inbox, OAuth2, Pairs},
    host_pattern::HostPattern,
};
use url::Url;

use super::placeholder;
use crate::json_path::JsonPath;

/// A checked declaration.
pub(super) struct Declaration {
    pub(super) id: String,
    pub(super) icon: Option<String>,
    pub(super) oauth2: OAuth2,
    /// Options that are not set and without which no setup can start.
    pub(super) missing: Vec<String>,
    /// Path of the tokens in the token response, as the operator wrote it; empty for its top.
    pub(super) token_path: JsonPath,
    /// Whether the tokens are the account's own, and no person's.
    pub(super) is_of_account: bool,
    pub(super) account: Account,
    /// The service's own API.
    pub(super) api: Option<Api>,
    /// Where the account's answer says that the account's own API is.
    pub(super) account_api_path: Option<JsonPath>,
    /// Further hosts that calls of it may go to, as patterns.
    pub(super) api_hosts: Vec<String>,
    /// Where to find the person who installed.
    pub(super) identity: Option<IdentityPath>,
    /// How the service signs its calls.
    pub(super) inbox: Option<Inbox>,
}

/// Where to find the account's id and name.
pub(super) struct Account {
    pub(super) source: AccountSource,
    pub(super) id: JsonPath,
    /// In the order of preference.
    pub(super) names: Vec<JsonPath>,
}

/// The response that has them.
pub(super) enum AccountSource {
    /// The token response.
    Token,
    /// The claims of the ID token, which the host has verified.
    IdToken,
    /// The response of the issuer's userinfo endpoint, which the host has read.
    Userinfo,
    /// The response to a request of its own.
    Request(AccountRequest),
}

/// The one request for the account.
pub(super) struct AccountRequest {
    pub(super) method: String,
    pub(super) url: String,
    /// May hold `{access-token}`. If none does, the token goes as a bearer token.
    pub(super) headers: Pairs,
    pub(super) body: Option<String>,
}

/// Where to find an identity.
pub(super) struct IdentityPath {
    pub(super) id: JsonPath,
    pub(super) instance: String,
}

/// Stands for the token in a header of the account's request.
pub(super) const ACCESS_TOKEN: &str = "access-token";

impl Declaration {
    /// The hosts, with their ports, that the provider has to reach.
    pub(super) fn hosts(&self) -> Vec<String> {
        let account = match &self.account.source {
            AccountSource::Request(request) => Some(&request.url),
            AccountSource::Token | AccountSource::IdToken | AccountSource::Userinfo => None,
        };
        let OAuth2 { token_url, refresh_url, revocation_url, .. } = &self.oauth2;
        let urls = [Some(token_url), account, refresh_url.as_ref(), revocation_url.as_ref()];
        let hosts = urls.into_iter().flatten().filter_map(|url| host_of(url));
        hosts.chain(self.api_hosts.iter().cloned()).collect()
    }
}

/// The host of a URL with its port, or the scheme's port: a host without one would stand for all of
/// its ports. `None` for a URL that waits for an option.
fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|_| placeholder::words(url).next().is_none())?;
    Some(HostPattern::from_url(&url)?.to_string())
}
