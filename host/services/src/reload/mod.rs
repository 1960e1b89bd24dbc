//! Changes a running host to what its configuration file says now. Knows nothing of HTTP.
//!
//! Everything new is read, started and checked before anything old ends. If something is wrong, all
//! stays as it was.

mod reload_entries;
mod reloaded;

use std::{path::PathBuf, sync::Arc};

pub use reloaded::{ReloadError, Reloaded};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::{
    audit::{Audit, Entry, Retention},
    configuration_log::log_warning,
    outbox,
    provider_owners::{self, owners, owners_in_use},
};
use jackfield_config::{
    self as config, Diagnostic, Diagnostics, Features, Fingerprint, OnFailure, SecretKeys, Settings,
};
use jackfield_loader::{Joined, Plugins, StartingPlugin};
use jackfield_outbound::{Outbound, OutboundError};
use jackfield_store::{Store, StoreResult, Tx, configurations, hex};

/// Reads the configuration of one host again. Clones are handles on the same.
#[derive(Clone)]
pub struct Reloader(Arc<Inner>);

struct Inner {
    file: PathBuf,
    plugins: Plugins,
    features: Features,
    store: Store,
    audit: Audit,
    retention: Retention,
    /// What runs. Locked for the length of a reload, so that there is one at a time.
    running: Mutex<Running>,
}

struct Running {
    settings: Settings,
    outbound: Outbound,
    /// What the last reload has said, if it was not the first of its kind.
    last: LastReload,
}

/// A reload that says the same as the one before has changed nothing, and makes no entry.
#[derive(Default)]
struct LastReload {
    /// What is wrong with plugins that are skipped.
    skipped: Vec<String>,
    /// What is wrong with a configuration that was refused.
    refused: Vec<String>,
}

impl Reloader {
    /// A reloader for a host that runs with these settings.
    #[must_use]
    pub fn new(
        settings: Settings,
        outbound: Outbound,
        plugins: Plugins,
        features: Features,
        store: Store,
        audit: Audit,
        retention: Retention,
    ) -> Self {
        let file = settings.file.clone();
        let running = Mutex::new(Running { settings, outbound, last: LastReload::default() });
        Self(Arc::new(Inner { file, plugins, features, store, audit, retention, running }))
    }

    /// Applies what the file says now, or nothing of it.
    ///
    /// # Errors
    /// Everything that is wrong, as at a start.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let mut running = self.0.running.lock().await;
        let result = self.read_and_apply(&mut running).await;
        match &result {
            Ok(Reloaded { changes, skipped, needs_restart }) => {
                tracing::info!(?changes, ?skipped, ?needs_restart, "the configuration is reloaded");
            }
            Err(error) => tracing::error!(%error, "the configuration is not reloaded: everything is as it was"),
        }
        result
    }

    /// Records that a host has started: the plugins that run, those that were refused, and which
    /// keys of the configuration have changed since a host last applied that file.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn started(&self, refused: &[Diagnostic]) -> StoreResult<()> {
        let mut running = self.0.running.lock().await;
        running.last.skipped = refused.iter().map(ToString::to_string).collect();
        let settings = &running.settings;
        let mut entries = reload_entries::at_start(settings, &self.0.plugins.status(), refused);
        let (file, fingerprint) = self.fingerprint(settings);
        let owners = self.0.plugins.owners();
        let replace = move |tx: &mut Tx<'_>| {
            provider_owners::record(tx, &owners)?;
            let before = configurations::replace(tx, &file, &fingerprint)?;
            entries.extend(reload_entries::changed_since(before, &fingerprint, &file));
            Ok(entries)
        };
        self.0.audit.write_after(replace).await?;
        outbox::apply_configured(&self.0.store, &running.outbound, &settings.endpoints).await
    }

    /// Takes in plugins that were not ready when the others were. What is wrong with one is in the
    /// log, in `plugin list` and in the audit log.
    pub async fn join(&self, starting: Vec<StartingPlugin>) {
        let settings = self.0.running.lock().await.settings.clone();
        self.join_in_background(starting, &settings);
    }

    fn join_in_background(&self, starting: Vec<StartingPlugin>, settings: &Settings) {
        for plugin in starting {
            let (reloader, settings) = (self.clone(), settings.clone());
            tracing::warn!(plugin.entry = plugin.entry(), "a plugin is not ready yet: the host goes on without it");
            tokio::spawn(async move { reloader.join_one(plugin, &settings).await });
        }
    }

    async fn join_one(&self, starting: StartingPlugin, settings: &Settings) {
        let entry = starting.entry().to_owned();
        let Joined { status, diagnostics } = self.0.plugins.join(starting).await;
        for plugin in &status {
            tracing::info!(plugin.entry = entry, plugin.name = plugin.info.name, "a plugin is ready");
        }
        for diagnostic in &diagnostics {
            tracing::error!(plugin.entry = entry, error = %diagnostic, "a plugin is not loaded");
        }
        let (entries, owners) = (reload_entries::at_start(settings, &status, &diagnostics), self.0.plugins.owners());
        self.write_after(move |tx| provider_owners::record(tx, &owners).map(|()| entries)).await;
    }

    /// The file, and what it says.
    fn fingerprint(&self, settings: &Settings) -> (String, Fingerprint) {
        let file = std::path::absolute(&settings.file).unwrap_or_else(|_| settings.file.clone());
        let sealer = self.0.store.sealer();
        let ids: Vec<String> = sealer.secret_keys().all().iter().map(|line| hex(&line.id())).collect();
        (file.display().to_string(), settings.fingerprint.clone().with_secret_key(&ids.join(" ")))
    }

    /// A reload is not undone because its entry cannot be written. The log says so.
    async fn write(&self, entries: Vec<Entry>) {
        self.write_after(move |_| Ok(entries)).await;
    }

    async fn write_after(&self, work: impl FnOnce(&mut Tx<'_>) -> StoreResult<Vec<Entry>> + Send + 'static) {
        if let Err(error) = self.0.audit.write_after(work).await {
            tracing::error!(%error, "the audit log lacks a reload");
        }
    }

    async fn read_and_apply(&self, running: &mut Running) -> Result<Reloaded, ReloadError> {
        let read = match config::load_lenient(&self.0.file) {
            Ok(read) => read,
            Err(diagnostics) => {
                self.refuse(running, None, &diagnostics).await;
                return Err(diagnostics.into());
            }
        };
        let settings = read.0.clone();
        let result = self.apply(running, read).await;
        if let Err(ReloadError::Diagnostics(diagnostics)) = &result {
            self.refuse(running, Some(&settings), diagnostics).await;
        }
        result
    }

    /// Records a configuration that is refused, unless the same was refused before.
    async fn refuse(&self, running: &mut Running, settings: Option<&Settings>, diagnostics: &Diagnostics) {
        let refused = diagnostics.list().iter().map(ToString::to_string).collect();
        if running.last.refused != refused {
            self.write(reload_entries::refused(settings, diagnostics.list())).await;
            running.last.refused = refused;
        }
    }

    async fn apply(
        &self,
        running: &mut Running,
        (settings, mut diagnostics): (Settings, Vec<Diagnostic>),
    ) -> Result<Reloaded, ReloadError> {
        settings.warnings.iter().for_each(log_warning);
        let secret_keys = self.secret_keys(&settings).await?.map_err(|diagnostic| diagnostics.push(diagnostic)).ok();
        let outbound = self.outbound(&settings, running)?;
        if !diagnostics.is_empty() {
            return Err(self.with_plugins_diagnostics(&settings, &outbound, diagnostics).await.into());
        }
        let (changes, skipped, starting) =
            self.0.plugins.reload(&settings, &owners(&self.0.store).await?, &outbound).await?;
        self.0.plugins.warnings(&settings).iter().for_each(log_warning);
        self.join_in_background(starting, &settings);
        self.0.features.replace(&settings.features);
        self.0.retention.keep(settings.audit.keep);
        let has_new_key = self.replace_keys(secret_keys).await;
        self.0.plugins.log_offers();
        let needs_restart = needs_restart(&running.settings, &settings);
        let reloaded = Reloaded { changes, skipped: skipped.iter().map(ToString::to_string).collect(), needs_restart };
        let mut keys = running.settings.fingerprint.changed(&settings.fingerprint);
        keys.extend(has_new_key.then(|| "system.secret-key".to_owned()));
        let last = LastReload { skipped: reloaded.skipped.clone(), refused: Vec::new() };
        if keys.is_empty() && reloaded.changes.is_nothing() && last.skipped == running.last.skipped {
            *running = Running { settings, outbound, last };
            return Ok(reloaded);
        }
        let entries = reload_entries::applied(&settings, keys, &reloaded, &self.0.plugins.status(), &skipped);
        let (file, fingerprint) = self.fingerprint(&settings);
        // So that the next start does not report it again.
        let owners = self.0.plugins.owners();
        let write = move |tx: &mut Tx<'_>| {
            provider_owners::record(tx, &owners)?;
            configurations::replace(tx, &file, &fingerprint).map(|_| entries)
        };
        self.write_after(write).await;
        if let Err(error) = outbox::apply_configured(&self.0.store, &outbound, &settings.endpoints).await {
            tracing::error!(%error, "the endpoints of the configuration are as they were");
        }
        *running = Running { settings, outbound, last };
        Ok(reloaded)
    }

    /// The secret keys as they are now. None may be missing that is still in use. A database that
    /// does not say which are in use is no mistake in the configuration.
    async fn secret_keys(&self, settings: &Settings) -> StoreResult<Result<SecretKeys, Diagnostic>> {
        let source = &settings.system.secret_key;
        if source.is_missing() {
            return Ok(Err(source.missing(Some(&hex(&self.0.store.sealer().secret_key_id())))));
        }
        let keys = match source.load() {
            Ok(keys) => keys,
            Err(diagnostic) => return Ok(Err(diagnostic)),
        };
        Ok(match self.0.store.other_key_in_use(&keys).await? {
            None => Ok(keys),
            Some(line) => {
                let message = format!("sealed values still need the key {}, which is not among these", hex(&line));
                let help = "put that line back; run `jackfield key rotate --secret-key`, and remove it when `jackfield key status` says that it is not needed";
                Err(source.diagnostic(message, help))
            }
        })
    }

    /// Returns whether there are other secret keys than before.
    async fn replace_keys(&self, keys: Option<SecretKeys>) -> bool {
        let is_new = keys.is_some_and(|keys| self.0.store.sealer().secret_keys().replace(&keys));
        if !is_new {
            return false;
        }
        match self.0.store.load_keys().await {
            Ok(()) => tracing::info!("the secret keys have changed"),
            Err(error) => {
                tracing::error!(%error, "the secret keys have changed, and the data keys cannot be read")
            }
        }
        true
    }

    fn outbound(&self, settings: &Settings, running: &Running) -> Result<Outbound, OutboundError> {
        if settings.http == running.settings.http {
            Ok(running.outbound.clone())
        } else {
            Outbound::new(&settings.http)
        }
    }

    /// With everything that is wrong with the plugins as well. They are loaded for that only.
    async fn with_plugins_diagnostics(
        &self,
        settings: &Settings,
        outbound: &Outbound,
        mut diagnostics: Vec<Diagnostic>,
    ) -> Diagnostics {
        if settings.plugins.on_failure == OnFailure::Stop {
            diagnostics.extend(Plugins::load(settings, &owners_in_use(settings).await, outbound).await.1);
        }
        diagnostics.into()
    }
}

/// What is compared of the issuers of connect sessions.
fn connect_issuers(settings: &Settings) -> Vec<(&str, &str, &str)> {
    let known = settings.connect_issuers.iter();
    known.map(|one| (one.issuer.as_str(), one.client_id.as_str(), one.client_secret.expose_secret())).collect()
}

/// The keys that cannot change while requests are served.
fn needs_restart(before: &Settings, after: &Settings) -> Vec<String> {
    let (old, new) = (&before.system, &after.system);
    [
        ("system.url-prefix", old.url_prefix != new.url_prefix),
        ("system.listen", old.listen != new.listen),
        ("system.trusted-proxies", old.trusted_proxies != new.trusted_proxies),
        ("system.idle-timeout", old.idle_timeout != new.idle_timeout),
        ("system.max-connections", old.max_connections != new.max_connections),
        ("system.control", old.control != new.control),
        ("connect.issuers", connect_issuers(before) != connect_issuers(after)),
        ("tokens.keep-alive-days", before.tokens != after.tokens),
        ("proxy.max-request-bytes", before.proxy.max_request_bytes != after.proxy.max_request_bytes),
        ("proxy.idle-timeout", before.proxy.idle_timeout != after.proxy.idle_timeout),
        ("proxy.max-calls", before.proxy.max_calls != after.proxy.max_calls),
        ("database.url", before.database.url != after.database.url),
        ("database.pool-size", before.database.pool_size != after.database.pool_size),
        ("database.statement-timeout", before.database.statement_timeout != after.database.statement_timeout),
        ("database.application-name", before.database.application_name != after.database.application_name),
        ("database.prepared-statements", before.database.prepared_statements != after.database.prepared_statements),
    ]
    .into_iter()
    .filter(|(_, has_changed)| *has_changed)
    .map(|(key, _)| key.to_owned())
    .collect()
}
