//! What an operator should know of a configuration that loads: tables that nothing uses, and
//! endpoints that no request can reach.

use std::sync::Arc;

use jackfield_config::{Diagnostic, ProviderOptions, Settings};
use jackfield_outbound::OutboundError;
use jackfield_plugin_abi::envelope::{OAuth2, StepKind};
use serde_json::Value;
use url::Url;

use crate::{library::find, provider::Provider};

/// All of it, in the order of the providers.
pub(crate) fn warnings(settings: &Settings, providers: &[Arc<Provider>]) -> Vec<Diagnostic> {
    let mut warnings = unlisted_tables(settings, providers);
    for provider in providers {
        let place = Place::of(settings, provider);
        for (what, url) in endpoints(provider) {
            warnings.extend(place.unreachable(provider, what, &url));
        }
        warnings.extend(place.not_granted(provider));
    }
    warnings
}

/// Tables `[ID]` of plugins that are there and not listed. Other ones are mistakes.
fn unlisted_tables(settings: &Settings, providers: &[Arc<Provider>]) -> Vec<Diagnostic> {
    let is_loaded = |id: &str| providers.iter().any(|provider| provider.id() == id);
    // A provider may have another id than its plugin has a name.
    let is_listed = |id: &str| settings.default_integrations.iter().any(|listed| listed.text == id);
    let waits = |id: &str| !is_loaded(id) && !is_listed(id) && find(id, &settings.plugins.path).is_ok();
    let tables = settings.options.iter().filter(|(id, _)| waits(id));
    tables
        .map(|(id, options)| {
            let message = format!("nothing uses this table: the plugin `{id}` is not listed in default-integrations");
            let help = format!("add \"{id}\" to default-integrations, or remove the table");
            settings.diagnostic(id, Some(options.line_of("")), message, help)
        })
        .collect()
}

/// Who asks for a URL.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visitor {
    Browser,
    Host,
}

/// The endpoints of a provider that are known before a setup.
fn endpoints(provider: &Provider) -> Vec<(Visitor, String)> {
    let mut endpoints = Vec::new();
    for step in provider.steps() {
        let StepKind::OAuth2(oauth2) = &step.kind else { continue };
        let OAuth2 { authorize_url, token_url, revocation_url, issuer, .. } = &**oauth2;
        endpoints.push((Visitor::Browser, authorize_url.clone()));
        let urls = [Some(token_url), revocation_url.as_ref(), issuer.as_ref()];
        endpoints.extend(urls.into_iter().flatten().map(|url| (Visitor::Host, url.clone())));
    }
    endpoints.extend(provider.api().map(|api| (Visitor::Host, api.url.clone())));
    endpoints.retain(|(_, url)| !url.is_empty());
    endpoints
}

/// Where a provider stands in the file.
struct Place<'a> {
    settings: &'a Settings,
    table: String,
    options: ProviderOptions,
}

impl<'a> Place<'a> {
    fn of(settings: &'a Settings, provider: &Provider) -> Self {
        let id = provider.id();
        let (table, options) = match provider.is_declared() {
            true => (format!("providers.{id}"), settings.providers.get(id)),
            false => (id.to_owned(), settings.options.get(id)),
        };
        Self { settings, table, options: options.cloned().unwrap_or_default() }
    }

    /// A diagnostic at the option that has this URL, or at the table.
    fn diagnostic(&self, url: &str, message: String, help: String) -> Diagnostic {
        let has_url = |(_, value): &(&String, &Value)| value.as_str() == Some(url);
        let option = self.options.table.iter().find(has_url).map(|(option, _)| option.as_str());
        let key = option.map_or_else(|| self.table.clone(), |option| format!("{}.{option}", self.table));
        let line = self.options.line_of(option.unwrap_or_default());
        self.settings.diagnostic(&key, (line > 0).then_some(line), message, help)
    }

    /// A URL that each request to it is refused for, whatever its name resolves to.
    fn unreachable(&self, provider: &Provider, visitor: Visitor, url: &str) -> Option<Diagnostic> {
        let parsed = Url::parse(url).ok()?;
        let outbound = provider.outbound(&[]);
        let refusal = match visitor {
            Visitor::Browser => outbound.refuses_login(&parsed)?,
            Visitor::Host => outbound.refuses(&parsed)?,
        };
        let (message, help) = match refusal {
            OutboundError::PlainHttp(host) => (
                format!("plain http to {host}: the host refuses it, and no setup can succeed"),
                format!("write https, or list {host} under [http] allow-private if it is yours"),
            ),
            OutboundError::PrivateAddress(host) => (
                format!("{host} is a private address: the host refuses it, and no setup can succeed"),
                format!("list {host} under [http] allow-private if it is yours"),
            ),
            _ => return None,
        };
        Some(self.diagnostic(url, message, help))
    }

    /// An endpoint that the operator's own list of hosts leaves out.
    fn not_granted(&self, provider: &Provider) -> Option<Diagnostic> {
        let entry = provider.entry();
        let key = format!("plugins.{entry}.hosts");
        let outbound = provider.outbound(&[]);
        let hosts = outbound.allowed_hosts()?;
        let is_left_out = |(_, url): &(Visitor, String)| Url::parse(url).is_ok_and(|url| !hosts.grants(&url));
        let mut left_out: Vec<String> = endpoints(provider)
            .iter()
            .filter(|endpoint| is_left_out(endpoint))
            .filter_map(|(_, url)| Url::parse(url).ok()?.host_str().map(str::to_owned))
            .collect();
        left_out.sort();
        left_out.dedup();
        let line = self.settings.plugins.tables().find(|(table, _)| *table == entry).map(|(_, line)| line);
        let message =
            format!("no setup of `{}` can succeed: its endpoints are on {}", provider.id(), left_out.join(", "));
        let help = format!("add them: hosts = [\"{}\", …]", left_out.join("\", \""));
        (!left_out.is_empty()).then(|| self.settings.diagnostic(&key, line, message, help))
    }
}
