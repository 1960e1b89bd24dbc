//! The host: built, serving, stopped.

use std::{future::Future, net::SocketAddr, path::Path, time::Duration};

use axum::{Router, serve::ListenerExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    assemble,
    background::Background,
    early_server::EarlyServer,
    open::{self, Configured},
    startup_error::StartupError,
};
use crate::{
    app::AppHandle,
    connections::{self, Slots},
    control, web,
};
use jackfield_config::Settings;
use jackfield_loader::LoadProgress;
use jackfield_services::{
    audit::Audit,
    open::{HostLock, lock_for_host, migrate, open_migrated},
    reload::Reloader,
};

/// A built host: bound, not yet serving.
pub struct Application {
    listener: TcpListener,
    control: Option<control::Listener>,
    app: AppHandle,
    /// Held as long as anything of this host can write.
    lock: Option<HostLock>,
}

/// Longest wait for open requests once the host is asked to stop.
const GRACE: Duration = Duration::from_secs(30);

impl Application {
    /// Reads the configuration, binds the address, loads the plugins, migrates the database. Until
    /// all of it is done, the host answers 503 and says what it waits for.
    ///
    /// # Errors
    /// The first part that cannot be built, with everything that is wrong with it.
    pub async fn build(file: &Path) -> Result<Self, StartupError> {
        Self::build_with(file, None).await
    }

    /// The same on an address that is bound already, for callers that must know it before. The
    /// configured one is ignored.
    ///
    /// # Errors
    /// As [`Application::build`].
    pub async fn build_on(listener: TcpListener, file: &Path) -> Result<Self, StartupError> {
        Self::build_with(file, Some(listener)).await
    }

    async fn build_with(file: &Path, listener: Option<TcpListener>) -> Result<Self, StartupError> {
        let configuration = open::settings(file)?;
        let (progress, address) = (LoadProgress::default(), configuration.0.system.listen.clone());
        let early = early_server(&configuration.0, listener, &progress).await?;
        // Plugins before the database: a wrong plugin list must not leave a migrated database
        // behind.
        let Configured { settings, mut loaded } = open::configured(configuration, &progress).await?;
        loaded.plugins.log_offers();
        let lock = lock_for_host(&settings).await?;
        for migration in migrate(&settings).await? {
            tracing::info!(migration, "the database is migrated");
        }
        let (store, keys) = open_migrated(&settings).await?;
        let control = settings.system.control.clone();
        let (refused, starting) = (loaded.refused.clone(), std::mem::take(&mut loaded.starting));
        let app = assemble::app(settings, store, &keys, loaded);
        app.reloader.started(&refused).await?;
        app.reloader.join(starting).await;
        log_head(&app.audit).await;
        // Not before the address is bound: a second host on the same database must not void the
        // leases of the first.
        app.grants.expire_leases().await?;
        app.revocations.expire_leases().await?;
        let control = open::control_socket(&control).await;
        let listener = early.stop().await.map_err(|error| StartupError::Listen { address, error })?;
        Ok(Self { listener, control, app, lock })
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

    /// Serves until `stop` is ready, then finishes open requests, for `GRACE` at most.
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
        let Self { listener, control, app, lock } = self;
        let background = Background::start(&app, control);
        serve(listener, router, stop).await;
        background.stop().await;
        // These have a grace of their own: what a provider has answered must be written.
        let _ = tokio::time::timeout(GRACE, app.grants.drain()).await;
        if let Err(error) = app.audit.flush().await {
            tracing::error!(%error, "the last counts are missing in the audit log");
        }
        log_head(&app.audit).await;
        drop((app, lock));
        tracing::info!("stopped");
        Ok(())
    }
}

/// Binds the address, unless it is bound already, and answers there until the host can serve.
async fn early_server(
    settings: &Settings,
    listener: Option<TcpListener>,
    progress: &LoadProgress,
) -> Result<EarlyServer, StartupError> {
    let address = settings.system.listen.clone();
    let bound = match listener {
        Some(listener) => Ok(listener),
        None => TcpListener::bind(&address).await,
    };
    let early = bound.and_then(|listener| EarlyServer::start(listener, progress.clone()));
    early.map_err(|error| StartupError::Listen { address, error })
}

async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()> + Send + 'static) {
    let stopping = CancellationToken::new();
    let cancel = stopping.clone();
    tokio::spawn(async move {
        stop.await;
        tracing::info!("stopping: no new connections");
        cancel.cancel();
    });
    // Answers are written whole: nothing is gained by waiting for more of them.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let too_late = async {
        stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = connections::serve(listener, router, Slots::of_this_process(), stopping.clone()) => {}
        () = too_late => tracing::warn!("open requests were cut off"),
    }
}

/// For `jackfield audit verify --head`, where this log is kept out of reach of those who can write
/// the database.
async fn log_head(audit: &Audit) {
    match audit.head().await {
        Ok(head) => tracing::info!(audit.head = %head, "the audit log ends here"),
        Err(error) => tracing::error!(%error, "the head of the audit log cannot be read"),
    }
}
