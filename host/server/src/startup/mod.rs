//! Floor 6: build the host from its settings, serve, stop.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use thiserror::Error;
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    app::{App, AppHandle},
    control, web,
};
use jackfield_config::{self as config, Diagnostic, Diagnostics, OnFailure, SecretKeys, Settings, clock::Clock};
use jackfield_loader::Plugins;
use jackfield_oauth2::Issuers;
use jackfield_outbound::{Outbound, OutboundError};
use jackfield_services::{
    accounts::Accounts,
    audit::{Audit, Builds},
    grants::Grants,
    integrations::Integrations,
    keys::Keys,
    open::{self, OpenError},
    proxy::Proxy,
    reload::Reloader,
    revocations::Revocations,
    session::{Sessions, Setups},
    setup::{Parts, Pipelines},
};
use jackfield_store::{Store, StoreError};

/// A built host: bound, not yet serving.
pub struct Application {
    listener: TcpListener,
    control: Option<control::Listener>,
    app: AppHandle,
}

/// Why the host does not start, or stops.
#[derive(Debug, Error)]
pub enum StartupError {
    /// The configuration or its plugins are wrong.
    #[error("{0}")]
    Diagnostics(Diagnostics),
    /// The database cannot be opened or migrated.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database fails.
    #[error("database.url: {0}")]
    Store(#[from] StoreError),
    /// The HTTP client cannot be built.
    #[error("the outgoing HTTP client cannot be built: {0}")]
    Outbound(#[from] OutboundError),
    /// The address cannot be bound.
    #[error("system.listen: cannot listen on {address}: {error}")]
    Listen {
        /// The configured address.
        address: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The server failed.
    #[error("serving failed: {0}")]
    Serve(std::io::Error),
}

impl From<Diagnostic> for StartupError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Diagnostics(Diagnostics::from(vec![diagnostic]))
    }
}

/// Longest wait for requests under way once the host is told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// How often what has expired is swept out of the database.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// What a host starts with.
struct Configured {
    settings: Settings,
    plugins: Plugins,
    /// What is wrong with plugins that are skipped.
    refused: Vec<Diagnostic>,
    outbound: Outbound,
}

/// Reads the configuration and loads the plugins it lists. A diagnostic stops the start; with `[plugins] on-failure = "skip"` those of
/// plugins do not.
///
/// # Errors
/// All diagnostics of both at once.
async fn configured(file: &Path) -> Result<Configured, StartupError> {
    let (settings, mut diagnostics) = config::load_lenient(file).map_err(StartupError::Diagnostics)?;
    let outbound = Outbound::new(&settings.http)?;
    let (plugins, refused) = Plugins::load(&settings, &outbound).await;
    if settings.plugins.on_failure == OnFailure::Skip {
        refused.iter().for_each(log_skipped);
    } else {
        diagnostics.extend(refused.iter().cloned());
    }
    if diagnostics.is_empty() {
        Ok(Configured { settings, plugins, refused, outbound })
    } else {
        Err(StartupError::Diagnostics(Diagnostics::from(diagnostics)))
    }
}

fn log_skipped(diagnostic: &Diagnostic) {
    tracing::error!(error = %diagnostic, "a plugin is skipped");
}

impl Application {
    /// Reads the configuration, loads the plugins, migrates the database, binds the address.
    ///
    /// # Errors
    /// The first room that cannot be built, with all it has to say.
    pub async fn build(file: &Path) -> Result<Self, StartupError> {
        Self::assemble(file, None).await
    }

    /// The same on an address that is bound already, whatever the configuration says: for whoever has to know it before.
    ///
    /// # Errors
    /// As [`Application::build`].
    pub async fn build_on(listener: TcpListener, file: &Path) -> Result<Self, StartupError> {
        Self::assemble(file, Some(listener)).await
    }

    async fn assemble(file: &Path, listener: Option<TcpListener>) -> Result<Self, StartupError> {
        // Plugins before the database: an operator with a wrong plugin list has changed nothing yet.
        let Configured { settings, plugins, refused, outbound } = configured(file).await?;
        plugins.log_offers();
        for migration in open::migrate(&settings).await? {
            tracing::info!(migration, "the database is migrated");
        }
        let (store, keys) = open::open_migrated(&settings).await?;
        let (address, control) = (settings.system.listen.clone(), settings.system.control.clone());
        let app = app(settings, store, &keys, plugins, outbound);
        app.reloader.started(&refused).await?;
        log_head(&app.audit).await;
        let listener = match listener {
            Some(listener) => listener,
            None => TcpListener::bind(&address).await.map_err(|error| StartupError::Listen { address, error })?,
        };
        // Not before: who cannot listen may be the second on this database, and the leases are those of a host that runs.
        app.grants.expire_leases().await?;
        app.revocations.expire_leases().await?;
        let control = bind_control(&control).await;
        Ok(Self { listener, control, app })
    }

    /// What changes the running host to what its configuration says.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.app.reloader.clone()
    }

    /// All that a request can reach.
    #[must_use]
    pub fn app(&self) -> AppHandle {
        self.app.clone()
    }

    /// Where the host listens.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready, then finishes what is under way, for `GRACE` at most.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn run_until_stopped(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), StartupError> {
        let router = web::router(self.app.clone());
        self.serve_until_stopped(router, stop).await
    }

    /// The same with other routes than the host's own.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn serve_until_stopped(
        self,
        router: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), StartupError> {
        let sweeper = tokio::spawn(sweep(self.app.store.clone()));
        let counter = tokio::spawn(self.app.audit.clone().keep());
        let resealer = tokio::spawn(go_on(self.app.keys.clone()));
        let keeper = tokio::spawn(self.app.grants.clone().run());
        let revoker = tokio::spawn(self.app.revocations.clone().run());
        let (stopping, stopped) = oneshot::channel();
        let controlled = self.control.map(|listener| tokio::spawn(control::serve(listener, self.app.clone())));
        let stop = async move {
            stop.await;
            tracing::info!("stopping: no new connections");
            let _ = stopping.send(());
        };
        let server = axum::serve(self.listener, router).with_graceful_shutdown(stop);
        let too_late = async {
            let _ = stopped.await;
            tokio::time::sleep(GRACE).await;
        };
        let result = tokio::select! {
            served = async { server.await } => served.map_err(StartupError::Serve),
            () = too_late => {
                tracing::warn!("requests under way were cut off");
                Ok(())
            }
        };
        sweeper.abort();
        counter.abort();
        resealer.abort();
        keeper.abort();
        revoker.abort();
        // The grace is not over for these: what a provider has answered must be written.
        let _ = tokio::time::timeout(GRACE, self.app.grants.drain()).await;
        if let Some(controlled) = controlled {
            controlled.abort();
            let _ = controlled.await; // So that its file is gone when the process is.
        }
        if let Err(error) = self.app.audit.settle().await {
            tracing::error!(%error, "the audit log lacks the last counts");
        }
        log_head(&self.app.audit).await;
        tracing::info!("stopped");
        result
    }
}

/// What `jackfield audit verify --head` is given later, where this log is kept out of reach of whoever can write the database.
async fn log_head(audit: &Audit) {
    match audit.head().await {
        Ok(head) => tracing::info!(audit.head = %head, "the audit log ends here"),
        Err(error) => tracing::error!(%error, "the head of the audit log cannot be read"),
    }
}

/// A host without it serves people all the same: it only has to be restarted where it could have been reloaded.
async fn bind_control(path: &Path) -> Option<control::Listener> {
    match control::Listener::bind(path).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%error, %path, "no control socket (system.control): `jackfield reload` cannot reach this host, SIGHUP can");
            None
        }
    }
}

fn app(settings: Settings, store: Store, secret_keys: &SecretKeys, plugins: Plugins, outbound: Outbound) -> AppHandle {
    let clock = Clock::system();
    let accounts = Accounts::new(store.clone(), clock.clone());
    let served_by = plugins.clone();
    let builds = Builds::new(move |provider| served_by.digest_of(provider));
    let integrations = Integrations::new(store.clone(), builds.clone());
    let keys = Keys::new(store.clone());
    let audit = Audit::new(store.clone(), clock.clone()).with_builds(builds);
    let issuers = Issuers::default();
    let keep_alive = settings.tokens.keep_alive;
    let revocations = Revocations::new(store.clone(), plugins.clone(), issuers.clone(), clock.clone());
    let revoked = revocations.clone();
    let grants = Grants::new(store.clone(), plugins.clone(), issuers.clone(), clock.clone(), revoked, keep_alive);
    let url_prefix = settings.system.url_prefix.clone();
    let called = url_prefix.clone();
    let proxy = Proxy::new(store.clone(), plugins.clone(), grants.clone(), audit.clone(), settings.proxy, called);
    let features = settings.features.clone();
    let parts = Parts {
        plugins: plugins.clone(),
        store: store.clone(),
        setups: Setups::new(store.clone()),
        accounts: accounts.clone(),
        integrations: integrations.clone(),
        grants: grants.clone(),
        revocations: revocations.clone(),
        features: features.clone(),
        url_prefix: url_prefix.clone(),
        clock: clock.clone(),
        issuers,
    };
    let pipelines = Arc::new(Pipelines::new(parts, secret_keys));
    let sessions = Sessions::new(store.clone(), url_prefix.is_https());
    let (log, shown) = (audit.clone(), features.clone());
    let reloader = Reloader::new(settings, outbound, plugins.clone(), shown, store.clone(), log);
    AppHandle::new(App {
        accounts,
        audit,
        features,
        grants,
        integrations,
        keys,
        pipelines,
        plugins,
        proxy,
        reloader,
        revocations,
        sessions,
        store,
        url_prefix,
    })
}

/// What a killed host or command has left undone is done while this one serves.
async fn go_on(keys: Keys) {
    if let Err(error) = keys.go_on().await {
        tracing::warn!(%error, "an interrupted rotation of keys cannot be gone on with");
    }
}

async fn sweep(store: Store) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        if let Err(error) = store.sweep().await {
            tracing::warn!(%error, "expired sessions could not be swept");
        }
    }
}
