//! The host: built, serving, stopped.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::Router;
use tokio::net::TcpListener;

use super::{
    assemble,
    background::Background,
    early_server::EarlyServer,
    open::{self, Configured},
    preflight::cannot_listen,
    shutdown::{self, note_head},
    startup_error::StartupError,
    stop::Stop,
};
use crate::{
    app::AppHandle,
    connections::{Bounds, Slots, most_connections, most_requests},
    control, web,
};
use jackfield_config::{Diagnostic, Settings, System};
use jackfield_loader::LoadProgress;
use jackfield_services::{
    configuration_log::log_warning,
    database_check::missing_organizations,
    open::{lock_for_host, migrate, open_migrated, wait_for_database},
    reload::Reloader,
};

/// A built host: bound, not yet serving.
pub struct Application {
    listener: TcpListener,
    slots: Arc<Slots>,
    control: Option<control::Listener>,
    app: AppHandle,
}

/// What a host waits for when it starts.
#[derive(Clone, Default)]
pub struct Waiting {
    /// How long a database is waited for that cannot be opened yet.
    pub for_database: Duration,
    /// Ends that.
    pub stop: Stop,
}

impl Application {
    /// Reads the configuration, binds the address, loads the plugins, migrates the database. Until
    /// all of it is done, the host answers 503 and says what it waits for.
    ///
    /// # Errors
    /// The first part that cannot be built, with everything that is wrong with it.
    pub async fn build(file: &Path, waiting: Waiting) -> Result<Self, StartupError> {
        Self::build_with(file, None, waiting).await
    }

    /// The same on an address that is bound already, for callers that must know it before. The
    /// configured one is ignored.
    ///
    /// # Errors
    /// As [`Application::build`].
    pub async fn build_on(listener: TcpListener, file: &Path) -> Result<Self, StartupError> {
        Self::build_with(file, Some(listener), Waiting::default()).await
    }

    async fn build_with(file: &Path, listener: Option<TcpListener>, waiting: Waiting) -> Result<Self, StartupError> {
        let configuration = open::settings(file)?;
        let (progress, address) = (LoadProgress::default(), configuration.0.system.listen.clone());
        let slots = slots(&configuration.0.system);
        let early = early_server(&configuration.0, listener, &slots, &progress).await?;
        waiting.wait(&configuration, &early).await?;
        // Plugins before the database: a wrong plugin list must not leave a migrated database
        // behind.
        let Configured { settings, mut loaded } = open::configured(configuration, &progress).await?;
        loaded.plugins.log_offers();
        let lock = lock_for_host(&settings).await?;
        for migration in migrate(&settings).await? {
            tracing::info!(migration, "the database is migrated");
        }
        let (store, keys) = open_migrated(&settings).await?;
        for warning in missing_organizations(&settings, &store).await? {
            log_warning(&warning);
        }
        if let Some(lock) = lock {
            store.hold(lock);
        }
        let control = settings.system.control.clone();
        let (refused, starting) = (loaded.refused.clone(), std::mem::take(&mut loaded.starting));
        let app = assemble::app(settings, store, &keys, loaded);
        app.deliveries.start().await?;
        app.reloader.started(&refused).await?;
        app.reloader.join(starting).await;
        note_head(&app.audit).await;
        // Not before the address is bound: a second host on the same database must not void the
        // leases of the first.
        app.grants.expire_leases().await?;
        app.revocations.expire_leases().await?;
        let control = open::control_socket(&control).await;
        let listener = early.stop().await.map_err(|error| StartupError::Listen { address, error })?;
        Ok(Self { listener, slots, control, app })
    }

    /// Takes over what the configuration says by now.
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

    /// Serves until it is told to stop, then finishes open requests, for a while.
    pub async fn run_until_stopped(self, stop: &Stop) {
        let router = web::router(self.app.clone());
        self.serve(router, stop).await;
    }

    /// The same with other routes than the host's own, until a future is ready.
    pub async fn serve_until_stopped(self, router: Router, stop: impl Future<Output = ()> + Send + 'static) {
        self.serve(router, &Stop::default().when(stop)).await;
    }

    async fn serve(self, router: Router, stop: &Stop) {
        let Self { listener, slots, control, app } = self;
        let background = Background::start(&app, control);
        let began = shutdown::serve(listener, router, slots, stop).await;
        background.stop().await;
        shutdown::finish(&app, stop, began).await;
        drop(app);
        tracing::info!("stopped");
    }
}

impl Waiting {
    /// Waits for the database. Not for the sake of a configuration with mistakes: the host does not
    /// start with it.
    async fn wait(
        &self,
        (settings, mistakes): &(Settings, Vec<Diagnostic>),
        early: &EarlyServer,
    ) -> Result<(), StartupError> {
        if self.for_database.is_zero() || !mistakes.is_empty() {
            return Ok(());
        }
        early.waits_for_database(true);
        tokio::select! {
            waited = wait_for_database(settings, self.for_database) => waited?,
            () = self.stop.asked() => return Err(StartupError::Stopped),
        }
        early.waits_for_database(false);
        Ok(())
    }
}

/// Binds the address, unless it is bound already, and answers there until the host can serve.
async fn early_server(
    settings: &Settings,
    listener: Option<TcpListener>,
    slots: &Arc<Slots>,
    progress: &LoadProgress,
) -> Result<EarlyServer, StartupError> {
    let bound = match listener {
        Some(listener) => Ok(listener),
        None => TcpListener::bind(&settings.system.listen).await,
    };
    let early = bound.and_then(|listener| {
        let prefix = settings.system.url_prefix.clone();
        EarlyServer::start(listener, slots.clone(), prefix, progress.clone())
    });
    early.map_err(|error| cannot_listen(settings, &error).into())
}

/// The places for connections, the same before the host can serve and afterwards.
fn slots(system: &System) -> Arc<Slots> {
    let most = most_connections(system.max_connections);
    let most_requests = most_requests(system.max_requests, most);
    Slots::new(Bounds { server: "http", most, most_requests, longest_idle: system.idle_timeout })
}
