//! From what the operator listed to running plugins, with all that is wrong collected on the way.

use std::sync::Arc;

use futures_util::future::join_all;
use jackfield_plugin_abi::envelope::{FaultKind, OptionDiagnostic};

use super::{
    Lock, PluginError, PluginInfo, Provider, Refusal,
    accept::accepted,
    declared,
    find::find,
    life::{Introduction, Recipe, Source},
    plugin::Plugin,
    provider::reach,
    sealed_library::SealedLibrary,
};
use jackfield_config::{Diagnostic, Listed, ProviderOptions, SandboxPolicy, Settings, nearest};
use jackfield_outbound::Outbound;

/// What came of loading everything that is listed.
#[derive(Default)]
pub(super) struct Loaded {
    /// In the operator's order.
    pub(super) plugins: Vec<Arc<Plugin>>,
    /// In the order of their plugins, configured or not.
    pub(super) providers: Vec<Arc<Provider>>,
}

struct Loading<'a> {
    settings: &'a Settings,
    outbound: &'a Outbound,
    loaded: Loaded,
    diagnostics: Vec<Diagnostic>,
    has_failed: bool,
}

/// Loads every listed plugin and makes an instance of each of its providers. One of `running` that would come out the same is taken over as
/// it is. All that is wrong is told at once; what does load is loaded, and the caller decides whether that will do.
pub(super) async fn load(
    settings: &Settings,
    outbound: &Outbound,
    running: &[Arc<Plugin>],
) -> (Loaded, Vec<Diagnostic>) {
    let lock = match Lock::read(&settings.file) {
        Ok(lock) => Arc::new(lock),
        // Nothing is loaded: what was accepted is not known.
        Err(refusal) => {
            return (Loaded::default(), vec![settings.diagnostic("", None, refusal.to_string(), refusal.help())]);
        }
    };
    let plugins = settings.default_integrations.iter().map(|listed| plugin(settings, listed, lock.clone(), running));
    let plugins = join_all(plugins).await;
    let mut loading =
        Loading { settings, outbound, loaded: Loaded::default(), diagnostics: Vec::new(), has_failed: false };
    for (listed, plugin) in settings.default_integrations.iter().zip(plugins) {
        loading.settle(listed, plugin, running);
    }
    for (id, options) in &settings.providers {
        loading.declared(id, options, running).await;
    }
    loading.check_unclaimed_options();
    loading.check_unclaimed_tables();
    (loading.loaded, loading.diagnostics)
}

/// The plugin of one entry: one that runs already, or a fresh one.
async fn plugin(
    settings: &Settings,
    listed: &Listed,
    lock: Arc<Option<Lock>>,
    running: &[Arc<Plugin>],
) -> Result<Arc<Plugin>, Refusal> {
    let (info, recipe) = recipe(settings, listed, lock).await?;
    kept_or_started(info, recipe, settings, running).await
}

/// One of those that run, if it would come out the same, or a fresh one.
async fn kept_or_started(
    info: PluginInfo,
    recipe: Recipe,
    settings: &Settings,
    running: &[Arc<Plugin>],
) -> Result<Arc<Plugin>, Refusal> {
    match running.iter().find(|plugin| plugin.is_same(&info, &recipe, settings)) {
        Some(same) => Ok(same.clone()),
        None => Plugin::start(info, recipe, settings).await.map(Arc::new),
    }
}

/// The library of an entry, judged and, where there is a lock, as it was accepted. None of it has run yet.
async fn recipe(
    settings: &Settings,
    listed: &Listed,
    lock: Arc<Option<Lock>>,
) -> Result<(PluginInfo, Recipe), Refusal> {
    let (entry, plugins) = (listed.text.clone(), settings.plugins.clone());
    let judged = tokio::task::spawn_blocking(move || {
        let file = accepted(&entry, &plugins, Option::as_ref(&lock))?;
        let sealed = SealedLibrary::of(&file.bytes);
        let sealed = sealed.map_err(|error| Refusal::Unreadable { file: file.path.clone(), error })?;
        Ok((PluginInfo::of(&file), sealed))
    });
    let (info, library) = judged.await.expect("judging a file does not panic")?;
    let recipe = Recipe {
        entry: listed.text.clone(),
        plugin: info.name.clone(),
        source: Source::Library(library),
        run: settings.plugins.run(&listed.text),
        is_sandbox_required: settings.plugins.sandbox == SandboxPolicy::Required,
    };
    Ok((info, recipe))
}

impl Loading<'_> {
    /// A provider that needs no library: the host answers for it, and from here on it is a plugin like any other.
    async fn declared(&mut self, id: &str, options: &ProviderOptions, running: &[Arc<Plugin>]) {
        let listed = Listed { text: format!("providers.{id}"), line: options.line_of("") };
        let info = declared::info(id, options, &self.settings.file);
        let recipe = Recipe {
            entry: listed.text.clone(),
            plugin: info.name.clone(),
            source: Source::Declared(declared::named(id, options)),
            run: self.settings.plugins.run(&listed.text),
            is_sandbox_required: false,
        };
        let plugin = kept_or_started(info, recipe, self.settings, running).await;
        self.settle(&listed, plugin, running);
    }

    /// Takes a plugin, or says what is wrong with it; one that runs already goes on then, for who skips what does not load.
    fn settle(&mut self, listed: &Listed, plugin: Result<Arc<Plugin>, Refusal>, running: &[Arc<Plugin>]) {
        let before = running.iter().find(|plugin| plugin.entry() == listed.text);
        match (plugin, before) {
            (Ok(plugin), Some(before)) if !plugin.is_whole() && !Arc::ptr_eq(&plugin, before) => {
                plugin.providers().iter().for_each(|introduction| self.check_created(listed, &plugin, introduction));
                self.take(listed, before.clone());
            }
            (Ok(plugin), _) => self.take(listed, plugin),
            (Err(refusal), before) => {
                self.refuse(listed, &refusal);
                before.into_iter().for_each(|before| self.take(listed, before.clone()));
            }
        }
    }

    fn check_created(&mut self, listed: &Listed, plugin: &Plugin, introduction: &Introduction) {
        if let Err(error) = &introduction.described {
            self.not_created(listed, plugin, introduction, error);
        }
    }

    fn take(&mut self, listed: &Listed, plugin: Arc<Plugin>) {
        for introduction in plugin.providers() {
            self.provider(listed, &plugin, introduction);
        }
        self.loaded.plugins.push(plugin);
    }

    fn provider(&mut self, listed: &Listed, plugin: &Arc<Plugin>, introduction: &Introduction) {
        let Introduction { named, options, described } = introduction;
        let file = &plugin.info.file;
        if let Some(first) = self.loaded.providers.iter().find(|provider| provider.id() == named.id) {
            let (first, second) = (first.plugin().file.clone(), file.clone());
            return self.refuse(listed, &Refusal::DuplicateId { id: named.id.clone(), first, second });
        }
        let description = match described {
            Ok(description) => description.clone(),
            Err(error) => return self.not_created(listed, plugin, introduction, error),
        };
        match reach(&description, options, self.settings.plugins.run(&listed.text).hosts) {
            Ok(reach) => {
                let outbound = self.outbound.limited_to(reach);
                let provider = Provider::new(plugin.clone(), named, options, description, outbound);
                self.loaded.providers.push(Arc::new(provider));
            }
            Err(host) => {
                let refusal = Refusal::BadHost { file: file.clone(), id: named.id.clone(), host };
                self.refuse(listed, &refusal);
            }
        }
    }

    fn refuse(&mut self, listed: &Listed, refusal: &Refusal) {
        self.has_failed = true;
        self.diagnostics.push(refusal.in_settings(self.settings, listed));
    }

    fn not_created(&mut self, listed: &Listed, plugin: &Plugin, introduction: &Introduction, error: &PluginError) {
        let Introduction { named, options, .. } = introduction;
        match error {
            PluginError::Fault(fault) if fault.kind == FaultKind::Options => {
                self.has_failed = true;
                for diagnostic in &fault.options {
                    let table = if plugin.is_declared() { plugin.entry() } else { &named.id };
                    self.diagnostics.push(option_mistake(self.settings, table, options, diagnostic));
                }
            }
            other => {
                let during = format!("making its provider `{}`", named.id);
                let (file, found) = (plugin.info.file.clone(), other.to_string());
                self.refuse(listed, &Refusal::Failed { file, during, found });
            }
        }
    }

    /// A table that no loaded provider claims is a slip of the pen, unless it waits for a plugin that is there and not listed.
    fn check_unclaimed_options(&mut self) {
        if self.has_failed {
            return; // It may belong to a plugin that did not load.
        }
        for (id, options) in &self.settings.options {
            let providers = &self.loaded.providers;
            let is_claimed = providers.iter().any(|provider| provider.id() == id);
            if is_claimed || find(id, &self.settings.plugins.path).is_ok() {
                continue;
            }
            let help = match nearest(id, providers.iter().map(|provider| provider.id())) {
                _ if declared::entry(id).is_some() => format!("did you mean [providers.{id}]?"),
                Some(near) => format!("did you mean [{near}]?"),
                None => "list its plugin in default-integrations, or remove the table".to_owned(),
            };
            let message = "no loaded plugin has a provider with this id".to_owned();
            self.diagnostics.push(self.settings.diagnostic(id, Some(options.line_of("")), message, help));
        }
    }

    /// The same for `[plugins.ENTRY]`.
    fn check_unclaimed_tables(&mut self) {
        let listed = &self.settings.default_integrations;
        for (entry, line) in self.settings.plugins.tables() {
            let is_listed = listed.iter().any(|listed| listed.text == entry);
            if is_listed || find(entry, &self.settings.plugins.path).is_ok() {
                continue;
            }
            let help = match nearest(entry, listed.iter().map(|listed| listed.text.as_str())) {
                Some(near) => format!("did you mean [plugins.{near}]?"),
                None => "name it as default-integrations does, or remove the table".to_owned(),
            };
            let message = "no plugin is listed under this name".to_owned();
            self.diagnostics.push(self.settings.diagnostic(&format!("plugins.{entry}"), Some(line), message, help));
        }
    }
}

fn option_mistake(
    settings: &Settings,
    table: &str,
    options: &ProviderOptions,
    diagnostic: &OptionDiagnostic,
) -> Diagnostic {
    let help = match nearest(&diagnostic.key, diagnostic.known.iter().map(String::as_str)) {
        _ if !diagnostic.help.is_empty() => diagnostic.help.clone(),
        Some(near) => format!("did you mean `{near}`?"),
        None if diagnostic.known.is_empty() => format!("correct the value, see the documentation of `{table}`"),
        None => format!("remove it; the options are {}", diagnostic.known.join(", ")),
    };
    let key = if diagnostic.key.is_empty() { table.to_owned() } else { format!("{table}.{}", diagnostic.key) };
    settings.diagnostic(&key, Some(options.line_of(&diagnostic.key)), diagnostic.message.clone(), help)
}
