//! Builds, serves and watches, until a signal ends it.

use std::{convert::Infallible, path::Path, pin::pin, time::Duration};

use anyhow::Context;
use axum::Router;
use jackfield_server::{startup::Application, web};
use jackfield_services::reload::{ReloadError, Reloader};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{
    failure::Failure,
    login_link::LoginLinks,
    project::Project,
    redirect_to_stand_in::RedirectToStandIn,
    sandbox_folder::SandboxFolder,
    terminal::{print, print_failure},
    watch::Watch,
};

/// How `plugin dev` runs.
#[derive(Clone, Copy, Debug)]
pub struct DevOptions {
    /// Port of the host; 0 takes a free one.
    pub port: u16,
    /// Whether the bodies of requests and answers are shown.
    pub show_bodies: bool,
}

/// How long requests may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Builds, serves and watches the crate that a folder is in, until SIGINT, SIGTERM or SIGHUP. What
/// an author can fix in an editor is shown, and the next save is waited for.
///
/// # Errors
/// When the folder is in no crate of a plugin, or the host does not start.
pub async fn run(folder: &Path, options: DevOptions) -> anyhow::Result<()> {
    // First of all, so that Ctrl-C during the first build is a clean stop too.
    let mut signals = StopSignals::listen()?;
    let project = Project::around(folder)?;
    // Before the first build: what is saved meanwhile is built next.
    let mut watch = Watch::of(&project);
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await;
    let listener = listener.with_context(|| format!("port {} cannot be taken", options.port))?;
    let sandbox = SandboxFolder::create(project, listener.local_addr()?, options.show_bodies).await?;
    tokio::select! {
        biased;
        () = signals.received() => {}
        ended = build_until_it_loads(&sandbox, &mut watch) => {
            ended?;
            serve(&sandbox, &mut watch, &mut signals, listener).await?;
        }
    }
    drop(sandbox);
    print("stopped", "nothing is left behind");
    Ok(())
}

async fn build_until_it_loads(sandbox: &SandboxFolder, watch: &mut Watch) -> Result<(), Failure> {
    loop {
        match sandbox.prepare().await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.is_fixed_by_saving() => print_failure(&failure),
            Err(failure) => return Err(failure),
        }
        print("waiting", "for the next save; Ctrl-C stops");
        watch.changed().await;
    }
}

async fn serve(
    sandbox: &SandboxFolder,
    watch: &mut Watch,
    signals: &mut StopSignals,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let application = Application::build_on(listener, sandbox.configuration()).await?;
    let reloader = application.reloader();
    let router = router(sandbox, &application).await?;
    let (stopping, stopped) = oneshot::channel::<()>();
    let mut serving = pin!(application.serve_until_stopped(router, async {
        let _ = stopped.await;
    }));
    print("watching", &format!("{}; Ctrl-C stops and removes everything", watch.description()));
    tokio::select! {
        biased;
        () = signals.received() => {}
        () = &mut serving => return Ok(()),
        never = reload_on_save(sandbox, watch, &reloader) => match never {},
    }
    let _ = stopping.send(());
    // Requests that take longer end with the process.
    let _ = tokio::time::timeout(GRACE, serving).await;
    Ok(())
}

/// The host's own routes, with the log-in link beside them and the redirect to the stand-in around
/// them.
async fn router(sandbox: &SandboxFolder, application: &Application) -> anyhow::Result<Router> {
    let links = LoginLinks::create(application.app(), sandbox.host_url()).await?;
    links.print();
    links.print_token();
    let redirect = RedirectToStandIn::new(sandbox.host_url(), sandbox.stand_in_url());
    Ok(redirect.around(web::router(application.app()).merge(links.router())))
}

/// Builds and reloads after each save. If something is wrong, the version before goes on.
async fn reload_on_save(sandbox: &SandboxFolder, watch: &mut Watch, reloader: &Reloader) -> Infallible {
    loop {
        watch.changed().await;
        match reload(sandbox, reloader).await {
            Ok(()) => print("reloaded", "this version runs now"),
            Err(failure) => {
                print_failure(&failure);
                print("kept", "the version before goes on");
            }
        }
    }
}

async fn reload(sandbox: &SandboxFolder, reloader: &Reloader) -> Result<(), Failure> {
    sandbox.prepare().await?;
    match reloader.reload().await {
        Ok(_) => Ok(()),
        Err(ReloadError::Diagnostics(diagnostics)) => Err(sandbox.failure(&diagnostics)),
        Err(error) => Err(Failure::Host(error.to_string())),
    }
}

/// The signals that end it.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal's window was closed.
    hang_up: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
