//! The API of one account, where a service has it at a host of its own and says where.

use jackfield_outbound::Outbound;
use jackfield_plugin_abi::{
    account_url::{account_url, check_account_url},
    envelope::{AccountApi, Integration},
    host_pattern::HostPattern,
};
use serde_json::Value;
use url::Url;

use crate::{provider::Provider, runtime::PluginError};

impl Provider {
    /// Where a token response says that the API of its account is; `None` if it does not say.
    ///
    /// # Errors
    /// In words, when no call may go there.
    pub fn account_api_url(&self, response: &Value) -> Result<Option<String>, String> {
        let Some(api) = self.account_api() else { return Ok(None) };
        let found = account_url(api, response).map_err(|error| error.to_string())?;
        Ok(found.map(String::from))
    }

    /// The HTTP client of calls to an API, for a setup in which a person has named these hosts. An
    /// account's own host is reached if this is it, and no other of its kind.
    #[must_use]
    pub fn outbound_to_api(&self, base: &str, named_hosts: &[String]) -> Outbound {
        let outbound = self.outbound(named_hosts);
        let Some(host) = self.account_host(base) else { return outbound };
        let allowed = outbound.allowed_hosts().map(|hosts| hosts.with_announced([host]));
        allowed.map_or_else(|| outbound.clone(), |hosts| outbound.limited_to(hosts))
    }

    /// The integration with the API of its account, as the plugin or the setup's token response
    /// says.
    ///
    /// # Errors
    /// When no call may go there.
    pub(crate) fn with_account_api(
        &self,
        mut integration: Integration,
        response: Option<&Value>,
    ) -> Result<Integration, PluginError> {
        let Some(api) = self.account_api() else { return Ok(integration) };
        match &integration.api_url {
            Some(url) => {
                let refused =
                    |why| PluginError::Answer(format!("it says that the account's API is at {url:?}, which {why}"));
                check_account_url(api, url).map_err(refused)?;
            }
            None => {
                let found = response.map_or(Ok(None), |response| self.account_api_url(response));
                integration.api_url = found.map_err(PluginError::Answer)?;
            }
        }
        Ok(integration)
    }

    fn account_api(&self) -> Option<&AccountApi> {
        self.api().and_then(|api| api.account.as_ref())
    }

    fn account_host(&self, base: &str) -> Option<HostPattern> {
        let url: Url = check_account_url(self.account_api()?, base).ok()?;
        HostPattern::from_url(&url)
    }
}
