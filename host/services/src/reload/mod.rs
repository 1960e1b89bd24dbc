//! Floor 3: changes a running host to what its configuration file says now. Knows nothing of axum.
//!
//! Everything new is read, started and checked before anything old goes; where something is wrong, all stays as it was.

mod written;

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::audit::{Audit, Entry};
use jackfield_config::{
    self as config, Diagnostic, Diagnostics, Features, Fingerprint, OnFailure, SecretKeys, Settings, secret_key,
};
use jackfield_loader::{Changes, Plugins};
use jackfield_outbound::{Outbound, OutboundError};
use jackfield_store::{Store, StoreResult, Tx, configurations, hex};

/// Re-reads the configuration of one host, as often as it is asked. Clones are handles on the same.
#[derive(Clone)]
pub struct Reloader(Arc<Inner>);

struct Inner {
    file: PathBuf,
    plugins: Plugins,
    features: Features,
    store: Store,
    audit: Audit,
    /// What runs. Held for the length of a reload: they take turns.
    running: Mutex<Running>,
}

struct Running {
    settings: Settings,
    outbound: Outbound,
}

/// What a reload has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloaded {
    /// By entry of `default-integrations`.
    pub changes: Changes,
    /// Plugins that did not load, with `[plugins] on-failure = "skip"`.
    pub skipped: Vec<String>,
    /// Keys that have changed in the file and take effect with the next start only.
    pub needs_restart: Vec<String>,
}

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The configuration or its plugins are wrong.
    #[error("{0}")]
    Diagnostics(#[from] Diagnostics),
    /// The HTTP client cannot be built.
    #[error("the outgoing HTTP client cannot be built: {0}")]
    Outbound(#[from] OutboundError),
}

impl Reloader {
    /// For a host that runs with these settings.
    #[must_use]
    pub fn new(
        settings: Settings,
        outbound: Outbound,
        plugins: Plugins,
        features: Features,
        store: Store,
        audit: Audit,
    ) -> Self {
        let file = settings.file.clone();
        let running = Mutex::new(Running { settings, outbound });
        Self(Arc::new(Inner { file, plugins, features, store, audit, running }))
    }

    /// Takes over what the file says now, or nothing of it.
    ///
    /// # Errors
    /// All that is wrong, as at a start.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let mut running = self.0.running.lock().await;
        let result = self.change(&mut running).await;
        match &result {
            Ok(Reloaded { changes, skipped, needs_restart }) => {
                tracing::info!(?changes, ?skipped, ?needs_restart, "the configuration is reloaded");
            }
            Err(error) => tracing::error!(%error, "the configuration is not reloaded: everything is as it was"),
        }
        result
    }

    /// Writes down that a host has started: the plugins that run, those that were refused, and which keys of the configuration say something
    /// else than when a host last took that file over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn started(&self, refused: &[Diagnostic]) -> StoreResult<()> {
        let running = self.0.running.lock().await;
        let settings = &running.settings;
        let mut entries = written::at_the_start(settings, &self.0.plugins.status(), refused);
        let (file, fingerprint) = self.taken_over(settings);
        let deed = move |tx: &mut Tx<'_>| {
            let before = configurations::replace(tx, &file, &fingerprint)?;
            entries.extend(written::changed_meanwhile(before, &fingerprint, &file));
            Ok(entries)
        };
        self.0.audit.write_after(deed).await
    }

    /// The file, and what it says.
    fn taken_over(&self, settings: &Settings) -> (String, Fingerprint) {
        let file = std::path::absolute(&settings.file).unwrap_or_else(|_| settings.file.clone());
        let sealer = self.0.store.sealer();
        let ids: Vec<String> = sealer.secret_keys().all().iter().map(|line| hex(&line.id())).collect();
        (file.display().to_string(), settings.fingerprint.clone().with_secret_key(&ids.join(" ")))
    }

    /// What is done is not undone for want of its row, which is told all the same.
    async fn write(&self, entries: Vec<Entry>) {
        self.write_after(move |_| Ok(entries)).await;
    }

    async fn write_after(&self, deed: impl FnOnce(&mut Tx<'_>) -> StoreResult<Vec<Entry>> + Send + 'static) {
        if let Err(error) = self.0.audit.write_after(deed).await {
            tracing::error!(%error, "the audit log lacks a reload");
        }
    }

    async fn change(&self, running: &mut Running) -> Result<Reloaded, ReloadError> {
        let load_lenient = match config::load_lenient(&self.0.file) {
            Ok(load_lenient) => load_lenient,
            Err(diagnostics) => {
                self.write(written::refused(None, diagnostics.list())).await;
                return Err(diagnostics.into());
            }
        };
        let settings = load_lenient.0.clone();
        let result = self.take_over(running, load_lenient).await;
        if let Err(ReloadError::Diagnostics(diagnostics)) = &result {
            self.write(written::refused(Some(&settings), diagnostics.list())).await;
        }
        result
    }

    async fn take_over(
        &self,
        running: &mut Running,
        (settings, mut diagnostics): (Settings, Vec<Diagnostic>),
    ) -> Result<Reloaded, ReloadError> {
        let secret_keys = self.judged(&settings).await.map_err(|diagnostic| diagnostics.push(diagnostic)).ok();
        let outbound = self.outbound(&settings, running)?;
        if !diagnostics.is_empty() {
            return Err(self.all_mistakes(&settings, &outbound, diagnostics).await.into());
        }
        let (changes, skipped) = self.0.plugins.reload(&settings, &outbound).await?;
        self.0.features.replace(&settings.features);
        let has_new_key = self.take_over_keys(secret_keys).await;
        self.0.plugins.log_offers();
        let needs_restart = needs_restart(&running.settings, &settings);
        let reloaded = Reloaded { changes, skipped: skipped.iter().map(ToString::to_string).collect(), needs_restart };
        let mut keys = running.settings.fingerprint.changed(&settings.fingerprint);
        keys.extend(has_new_key.then(|| "system.secret-key".to_owned()));
        let entries = written::taken_over(&settings, keys, &reloaded, &self.0.plugins.status(), &skipped);
        let (file, fingerprint) = self.taken_over(&settings);
        // So that the next start does not tell it again.
        self.write_after(move |tx| configurations::replace(tx, &file, &fingerprint).map(|_| entries)).await;
        *running = Running { settings, outbound };
        Ok(reloaded)
    }

    /// The lines of the secret key as they are by now. None may be missing that something still hangs on.
    async fn judged(&self, settings: &Settings) -> Result<SecretKeys, Diagnostic> {
        let source = &settings.system.secret_key;
        if source.is_missing() {
            return Err(source.missing(Some(&hex(&self.0.store.sealer().line()))));
        }
        let keys = secret_key::load(source)?;
        match self.0.store.hangs_on_other_keys(&keys).await {
            Ok(None) => Ok(keys),
            Ok(Some(line)) => {
                let said = format!("what is sealed still hangs on the key {}, which is not among these", hex(&line));
                let help = "put that line back; `jackfield key rotate --secret-key` makes it superfluous, `jackfield key status` says when";
                Err(source.diagnostic(said, help))
            }
            Err(error) => {
                let said = format!("the keys that hang on it cannot be read: {error}");
                Err(source.diagnostic(said, "see to the database, then reload again"))
            }
        }
    }

    /// Answers whether there are other lines than before.
    async fn take_over_keys(&self, keys: Option<SecretKeys>) -> bool {
        let is_new = keys.is_some_and(|keys| self.0.store.sealer().secret_keys().replace(&keys));
        if !is_new {
            return false;
        }
        match self.0.store.load_keys().await {
            Ok(()) => tracing::info!("the secret key has other lines"),
            Err(error) => {
                tracing::error!(%error, "the secret key has other lines, and the ring of keys cannot be read")
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

    /// What is wrong with the plugins as well, so that all is told at once; they are ended again.
    async fn all_mistakes(
        &self,
        settings: &Settings,
        outbound: &Outbound,
        mut diagnostics: Vec<Diagnostic>,
    ) -> Diagnostics {
        if settings.plugins.on_failure == OnFailure::Stop {
            diagnostics.extend(Plugins::load(settings, outbound).await.1);
        }
        diagnostics.into()
    }
}

/// Where the host listens, what it is called and where its data is cannot change under requests that are being served.
fn needs_restart(before: &Settings, after: &Settings) -> Vec<String> {
    let (old, new) = (&before.system, &after.system);
    [
        ("system.url-prefix", old.url_prefix != new.url_prefix),
        ("system.listen", old.listen != new.listen),
        ("system.control", old.control != new.control),
        ("tokens.keep-alive-days", before.tokens != after.tokens),
        ("proxy.max-request-bytes", before.proxy.max_request_bytes != after.proxy.max_request_bytes),
        ("proxy.idle-timeout", before.proxy.idle_timeout != after.proxy.idle_timeout),
        ("proxy.max-calls", before.proxy.max_calls != after.proxy.max_calls),
        ("database.url", before.database.url.as_str() != after.database.url.as_str()),
    ]
    .into_iter()
    .filter(|(_, has_changed)| *has_changed)
    .map(|(key, _)| key.to_owned())
    .collect()
}
