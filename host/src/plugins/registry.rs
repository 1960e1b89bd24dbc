//! All providers of this host, loaded from what `default-integrations` lists and nothing else.

use std::{path::Path, sync::Arc};

use jackfield_plugin_abi::envelope::{FaultKind, NamedProvider, OptionMistake, ProvidersOut, op};

use super::{
    Inspection, LibraryFile, Lock, PluginError, PluginInfo, Provider, Refusal, accept::accepted, conversation::Line,
    find::find, load::load, port::InProcess, provider::create, redact::Redactor,
};
use crate::{
    config::{Listed, Mistake, ProviderOptions, Settings},
    outbound::Outbound,
};

/// The loaded providers, in the order the operator listed their plugins.
#[derive(Clone, Default)]
pub struct Plugins {
    providers: Arc<Vec<Arc<Provider>>>,
}

impl Plugins {
    /// Loads every listed plugin and makes an instance of each of its providers.
    ///
    /// All that is wrong is told at once; what does load is loaded, and the caller decides whether that will do.
    pub async fn load(settings: &Settings, outbound: &Outbound) -> (Self, Vec<Mistake>) {
        let lock = match Lock::read(&settings.file) {
            Ok(lock) => lock,
            // Nothing is loaded: what was accepted is not known.
            Err(refusal) => {
                return (Self::default(), vec![settings.mistake("", None, refusal.to_string(), refusal.mend())]);
            }
        };
        let mut loading =
            Loading { settings, outbound, lock, providers: Vec::new(), mistakes: Vec::new(), failed: false };
        for listed in &settings.default_integrations {
            loading.plugin(listed).await;
        }
        loading.check_unclaimed_options();
        (Self { providers: Arc::new(loading.providers) }, loading.mistakes)
    }

    /// All loaded providers, configured or not.
    #[must_use]
    pub fn all(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The providers that are offered to people.
    pub fn configured(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.iter().filter(|provider| provider.is_configured())
    }

    /// A loaded provider, configured or not.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.id() == id)
    }

    /// A provider that is offered to people.
    #[must_use]
    pub fn find_configured(&self, id: &str) -> Option<&Arc<Provider>> {
        self.find(id).filter(|provider| provider.is_configured())
    }
}

/// Loads one library and describes its providers with no options at all, for `plugin check`.
///
/// # Errors
/// Why a host would refuse the library.
pub async fn inspect(path: &Path) -> Result<(PluginInfo, Vec<Inspection>), Refusal> {
    let (info, line, named) = open(&LibraryFile::read(path)?).await?;
    let mut inspections = Vec::new();
    for NamedProvider { id, name } in named {
        let description = create(&line, &id, serde_json::Map::new()).await;
        inspections.push(Inspection { id, name, description });
    }
    Ok((info, inspections))
}

/// Opens a judged library and asks what it exports.
async fn open(file: &LibraryFile) -> Result<(PluginInfo, Line, Vec<NamedProvider>), Refusal> {
    let path = &file.path;
    let info = PluginInfo::of(file);
    let port = Arc::new(InProcess(load(file)?));
    let line = Line { port, plugin: info.name.clone(), redactor: Redactor::default() };
    let out: ProvidersOut = line.ask(op::PROVIDERS, &serde_json::json!({})).await.map_err(|error| Refusal::Failed {
        file: path.to_owned(),
        during: "listing its providers".to_owned(),
        found: error.to_string(),
    })?;
    match out.providers.iter().find(|provider| !is_good_id(&provider.id)) {
        Some(bad) => Err(Refusal::BadId { file: path.to_owned(), id: bad.id.clone() }),
        None => Ok((info, line, out.providers)),
    }
}

/// Ids stand in URLs and as tables of the configuration file beside the host's own.
fn is_good_id(id: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&id.len()) && id.bytes().all(is_word) && !Settings::is_section(id)
}

struct Loading<'a> {
    settings: &'a Settings,
    outbound: &'a Outbound,
    lock: Option<Lock>,
    providers: Vec<Arc<Provider>>,
    mistakes: Vec<Mistake>,
    failed: bool,
}

impl Loading<'_> {
    async fn plugin(&mut self, listed: &Listed) {
        let opened = match accepted(&listed.text, self.settings, self.lock.as_ref()) {
            Ok(file) => open(&file).await,
            Err(refusal) => Err(refusal),
        };
        match opened {
            Ok((info, line, named)) => {
                for provider in named {
                    self.provider(listed, &info, &line, provider).await;
                }
            }
            Err(refusal) => self.refuse(listed, &refusal),
        }
    }

    fn refuse(&mut self, listed: &Listed, refusal: &Refusal) {
        self.failed = true;
        self.mistakes.push(refusal.in_settings(self.settings, listed));
    }

    async fn provider(&mut self, listed: &Listed, info: &PluginInfo, line: &Line, named: NamedProvider) {
        if let Some(first) = self.providers.iter().find(|provider| provider.id() == named.id) {
            let (first, second) = (first.plugin().file.clone(), info.file.clone());
            let refusal = Refusal::DuplicateId { id: named.id, first, second };
            return self.refuse(listed, &refusal);
        }
        let options = self.settings.options.get(&named.id).cloned().unwrap_or_default();
        let line = Line { redactor: Redactor::new(options.secrets()), ..line.clone() };
        match create(&line, &named.id, options.table.clone()).await {
            Ok(description) => {
                let provider = Provider::new(named, info.clone(), description, line, self.outbound.clone());
                self.providers.push(Arc::new(provider));
            }
            Err(error) => self.not_created(listed, info, &named.id, &options, error),
        }
    }

    fn not_created(
        &mut self,
        listed: &Listed,
        info: &PluginInfo,
        id: &str,
        options: &ProviderOptions,
        error: PluginError,
    ) {
        match error {
            PluginError::Fault(fault) if fault.kind == FaultKind::Options => {
                self.failed = true;
                for mistake in &fault.options {
                    self.mistakes.push(option_mistake(self.settings, id, options, mistake));
                }
            }
            other => {
                let during = format!("making its provider `{id}`");
                self.refuse(listed, &Refusal::Failed { file: info.file.clone(), during, found: other.to_string() });
            }
        }
    }

    /// A table that no loaded provider claims is a slip of the pen, unless it waits for a plugin that is there and not listed.
    fn check_unclaimed_options(&mut self) {
        if self.failed {
            return; // It may belong to a plugin that did not load.
        }
        for (id, options) in &self.settings.options {
            let is_claimed = self.providers.iter().any(|provider| provider.id() == id);
            if is_claimed || find(id, &self.settings.plugins.path).is_ok() {
                continue;
            }
            let ids = self.providers.iter().map(|provider| provider.id());
            let mend = match nearest(id, ids) {
                Some(near) => format!("did you mean [{near}]?"),
                None => "list its plugin in default-integrations, or remove the table".to_owned(),
            };
            let message = "no loaded plugin has a provider with this id".to_owned();
            self.mistakes.push(self.settings.mistake(id, Some(options.line_of("")), message, mend));
        }
    }
}

fn option_mistake(settings: &Settings, id: &str, options: &ProviderOptions, mistake: &OptionMistake) -> Mistake {
    let mend = match nearest(&mistake.key, mistake.known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if mistake.known.is_empty() => format!("correct the value, see the documentation of `{id}`"),
        None => format!("remove it; the options are {}", mistake.known.join(", ")),
    };
    settings.mistake(
        &format!("{id}.{}", mistake.key),
        Some(options.line_of(&mistake.key)),
        mistake.message.clone(),
        mend,
    )
}

/// The likeliest word that was meant.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, known)| known)
}
