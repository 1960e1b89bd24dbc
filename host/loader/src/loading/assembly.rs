//! Decides which plugins are used, makes their providers, and collects what is wrong on the way.

use std::sync::Arc;

use jackfield_config::{Diagnostic, ListedPlugin, PluginSettings, Settings};
use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::FaultKind;

use super::{candidates::Candidate, loaded::Loaded, option_diagnostic::option_diagnostic};
use crate::{
    border::escaped_words,
    dispute::Dispute,
    inbound::{InboxDiagnostic, InboxRules},
    provider::Provider,
    provider_reach::reach_of,
    refusal::Refusal,
    runtime::{DescribedProvider, Plugin, PluginError},
};

/// What is loaded so far.
pub(super) struct Assembly<'a> {
    settings: &'a Settings,
    outbound: &'a Outbound,
    loaded: Loaded,
    diagnostics: Vec<Diagnostic>,
    has_failed: bool,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(settings: &'a Settings, outbound: &'a Outbound) -> Self {
        let (loaded, diagnostics) = (Loaded::default(), Vec::new());
        Self { settings, outbound, loaded, diagnostics, has_failed: false }
    }

    /// In addition to what is loaded already.
    pub(super) fn with(self, loaded: Loaded) -> Self {
        Self { loaded, ..self }
    }

    /// Uses the plugin that runs so far for an entry whose new one is not ready.
    pub(super) fn go_on(&mut self, listed: &ListedPlugin, running: Option<&Arc<Plugin>>) {
        if let Some(running) = running {
            self.use_plugin(listed, running.clone());
        }
    }

    /// Whether some plugin or provider did not load.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    pub(super) fn finish(self) -> (Loaded, Vec<Diagnostic>) {
        (self.loaded, self.diagnostics)
    }

    /// Uses the new plugin of an entry. If it does not load completely, the one that runs goes on,
    /// and what is wrong with the new one is said.
    pub(super) fn add(&mut self, Candidate { listed, plugin, running, disputes }: Candidate) {
        let is_complete = |plugin: &Plugin| plugin.is_complete() && disputes.is_empty();
        if let Ok(plugin) = &plugin {
            for dispute in &disputes {
                let (file, dispute) = (plugin.info().file.clone(), dispute.clone());
                self.refuse(&listed, &Refusal::NotItsProvider { file, dispute });
            }
        }
        match (plugin, running) {
            (Ok(plugin), Some(running)) if !is_complete(&plugin) && !Arc::ptr_eq(&plugin, &running) => {
                for provider in plugin.providers() {
                    if let Err(error) = &provider.description {
                        self.report_not_created(&listed, &plugin, provider, error);
                    }
                }
                self.use_plugin(&listed, running);
            }
            (Ok(plugin), _) => self.use_plugin(&listed, plugin),
            (Err(refusal), running) => {
                self.refuse(&listed, &refusal);
                if let Some(running) = running {
                    self.use_plugin(&listed, running);
                }
            }
        }
    }

    fn use_plugin(&mut self, listed: &ListedPlugin, plugin: Arc<Plugin>) {
        for provider in plugin.providers() {
            self.add_provider(listed, &plugin, provider);
        }
        self.loaded.plugins.push(plugin);
    }

    fn add_provider(&mut self, listed: &ListedPlugin, plugin: &Arc<Plugin>, described: &DescribedProvider) {
        let id = &described.named.id;
        // Only where a running plugin goes on in the place of a refused one.
        if let Some(first) = self.loaded.providers.iter().find(|provider| provider.id() == id) {
            let dispute = Dispute::Twice { id: id.clone(), first: first.plugin().file.clone() };
            return self.refuse(listed, &Refusal::NotItsProvider { file: plugin.info().file.clone(), dispute });
        }
        if let Err(error) = &described.description {
            return self.report_not_created(listed, plugin, described, error);
        }
        let settings = self.settings.plugins.settings_for(&listed.text);
        match provider_of(plugin, described, &settings, self.outbound) {
            // A library may call its provider like another's. An operator who declares two knows.
            Ok(provider) if !plugin.is_declared() && self.has_namesake(provider.name()) => {
                self.loaded.providers.push(Arc::new(provider.with_id_in_name()));
            }
            Ok(provider) => self.loaded.providers.push(Arc::new(provider)),
            Err(refusal) => self.refuse(listed, &refusal),
        }
    }

    /// Whether people could not tell a provider of this name from one that is loaded already.
    fn has_namesake(&self, name: &str) -> bool {
        self.loaded.providers.iter().any(|provider| provider.name().to_lowercase() == name.to_lowercase())
    }

    fn refuse(&mut self, listed: &ListedPlugin, refusal: &Refusal) {
        self.has_failed = true;
        self.diagnostics.push(refusal.in_settings(self.settings, listed));
    }

    fn report_not_created(
        &mut self,
        listed: &ListedPlugin,
        plugin: &Plugin,
        provider: &DescribedProvider,
        error: &PluginError,
    ) {
        match error {
            PluginError::Fault(fault) if fault.kind == FaultKind::Options => {
                self.has_failed = true;
                let table = if plugin.is_declared() { plugin.entry() } else { &provider.named.id };
                // A plugin that goes on has its options, and not their lines in today's file.
                let tables = if plugin.is_declared() { &self.settings.providers } else { &self.settings.options };
                let options = tables.get(&provider.named.id).unwrap_or(&provider.options);
                let wrong = fault.options.iter();
                self.diagnostics.extend(wrong.map(|wrong| option_diagnostic(self.settings, table, options, wrong)));
            }
            other => self.refuse(listed, &not_created(plugin, provider, other)),
        }
    }
}

/// A provider of a plugin, which reaches its own hosts and no others.
///
/// # Errors
/// When it was not created, or declares a host that is not one.
pub(crate) fn provider_of(
    plugin: &Arc<Plugin>,
    described: &DescribedProvider,
    settings: &PluginSettings,
    outbound: &Outbound,
) -> Result<Provider, Refusal> {
    let DescribedProvider { named, options, description } = described;
    let description = description.as_ref().map_err(|error| not_created(plugin, described, error))?;
    let reach = reach_of(description, options, settings.hosts.clone()).map_err(|host| Refusal::BadHost {
        file: plugin.info().file.clone(),
        id: named.id.clone(),
        host,
    })?;
    let provider = Provider::new(plugin.clone(), named, options, description.clone(), outbound.limited_to(reach));
    let inbox = description.inbox.as_ref().map(InboxRules::read).transpose();
    let inbox = inbox.map_err(|mistakes| wrong_inbox(plugin, &named.id, &mistakes))?;
    Ok(provider.with_identity_types(settings.identities.clone()).with_inbox(inbox))
}

fn wrong_inbox(plugin: &Plugin, id: &str, mistakes: &[InboxDiagnostic]) -> Refusal {
    let said = |mistake: &InboxDiagnostic| format!("{}: {}; {}", mistake.key, mistake.message, mistake.help);
    let found = escaped_words(&mistakes.iter().map(said).collect::<Vec<_>>().join("; "));
    let during = format!("reading how its provider `{id}` verifies calls");
    Refusal::Failed { file: plugin.info().file.clone(), during, found }
}

fn not_created(plugin: &Plugin, provider: &DescribedProvider, error: &PluginError) -> Refusal {
    let during = format!("making its provider `{}`", provider.named.id);
    Refusal::Failed { file: plugin.info().file.clone(), during, found: error.to_string() }
}
