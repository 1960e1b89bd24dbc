//! Floor 6: `jackfield plugin dev`, a host for one plugin while it is being written. Knows neither
//! diesel nor the plugin abi.
//!
//! A `project` is built by `cargo` and put on the `bench`, where it is tried before the host takes
//! it over by its own reload; `watch` says when to do that again. The `stand_in` answers in the
//! place of the internet, by what `dev_file` says; `detour` sends browsers there too, and `link`
//! logs one in. What happens is told on the `terminal`, and nothing is left at the end.
//!
//! What cannot happen: a host that people use with any of this. What is special about this host is
//! put around its routes here, and nowhere else.

mod bench;
mod cargo;
mod detour;
mod dev_file;
mod failure;
mod link;
mod project;
mod stand_in;
mod terminal;
mod watch;

use std::{convert::Infallible, path::Path, pin::pin, time::Duration};

use anyhow::Context;
use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use self::{
    bench::Bench,
    detour::Detour,
    failure::Failure,
    link::Links,
    project::Project,
    terminal::{say, say_failure},
    watch::Watch,
};
pub use self::{project::ProjectError, terminal::reader};
use jackfield_server::{startup::Application, web};
use jackfield_services::reload::{ReloadError, Reloader};

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Port of the host; 0 takes a free one.
    pub port: u16,
    /// Whether the bodies of requests and answers are shown.
    pub show_bodies: bool,
}

/// Longest wait for requests under way at the end.
const GRACE: Duration = Duration::from_secs(2);

/// Builds, serves and watches the crate that a folder is in, until SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
/// When there is no crate that could be a plugin, or the host cannot be started. What can be mended
/// in an editor is told and waited for.
pub async fn run(folder: &Path, manner: Manner) -> anyhow::Result<()> {
    // First of all, so that Ctrl-C during the first build ends in a clean stop too.
    let mut stop = Stop::listen()?;
    let project = Project::around(folder)?;
    // Before the first build: what is saved meanwhile is built next.
    let mut watch = Watch::of(&project);
    let listener = TcpListener::bind(("127.0.0.1", manner.port)).await;
    let listener = listener.with_context(|| format!("port {} cannot be taken", manner.port))?;
    let bench = Bench::set_up(project, listener.local_addr()?, manner.show_bodies).await?;
    tokio::select! {
        biased;
        () = stop.asked() => {}
        ended = first(&bench, &mut watch) => {
            ended?;
            serve(&bench, &mut watch, &mut stop, listener).await?;
        }
    }
    drop(bench);
    say("stopped", "nothing is left behind");
    Ok(())
}

/// Until there is something to serve.
async fn first(bench: &Bench, watch: &mut Watch) -> Result<(), Failure> {
    loop {
        match bench.prepare().await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.is_in_the_making() => say_failure(&failure),
            Err(failure) => return Err(failure),
        }
        say("waiting", "for the next save; Ctrl-C stops");
        watch.changed().await;
    }
}

async fn serve(bench: &Bench, watch: &mut Watch, stop: &mut Stop, listener: TcpListener) -> anyhow::Result<()> {
    let application = Application::build_on(listener, bench.configuration()).await?;
    let reloader = application.reloader();
    let router = router(bench, &application).await?;
    let (stopping, stopped) = oneshot::channel::<()>();
    let mut serving = pin!(application.serve_until_stopped(router, async {
        let _ = stopped.await;
    }));
    say("watching", &format!("{}; Ctrl-C stops and removes everything", watch.what()));
    tokio::select! {
        biased;
        () = stop.asked() => {}
        served = &mut serving => return Ok(served?),
        never = again(bench, watch, &reloader) => match never {},
    }
    let _ = stopping.send(());
    // What takes longer is cut off with the process.
    let _ = tokio::time::timeout(GRACE, serving).await;
    Ok(())
}

/// The host's own routes, with a way in beside them and a way out to the stand-in around them.
async fn router(bench: &Bench, application: &Application) -> anyhow::Result<Router> {
    let links = Links::open(application.app(), bench.host_url()).await?;
    links.tell();
    links.tell_program();
    let detour = Detour::new(bench.host_url(), bench.stand_in_url());
    Ok(detour.around(web::router(application.app()).merge(links.router())))
}

/// Builds and reloads after every save. Where something is wrong, what ran goes on.
async fn again(bench: &Bench, watch: &mut Watch, reloader: &Reloader) -> Infallible {
    loop {
        watch.changed().await;
        match renew(bench, reloader).await {
            Ok(()) => say("reloaded", "this version runs now"),
            Err(failure) => {
                say_failure(&failure);
                say("kept", "the version before goes on");
            }
        }
    }
}

async fn renew(bench: &Bench, reloader: &Reloader) -> Result<(), Failure> {
    bench.prepare().await?;
    match reloader.reload().await {
        Ok(_) => Ok(()),
        Err(ReloadError::Diagnostics(diagnostics)) => Err(bench.told(diagnostics)),
        Err(error) => Err(Failure::Host(error.to_string())),
    }
}

/// The signals that end it.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
    /// Somebody has closed the terminal's window: to them that is an end as well.
    hang_up: Signal,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
