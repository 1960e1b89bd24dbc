//! Several users of one plugin, and one of them makes it do harm: the others continue on its next
//! worker.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use axum::{Router, routing::get};
use jackfield_test_support::http_client::{DialogMessage, HttpClient};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use crate::app::plugin_app::{self, INTERNAL, PluginApp, left, posted};

/// Makes a provider loop, and returns when it does.
async fn set_looping(app: &PluginApp) -> Result<JoinHandle<Result<DialogMessage>>> {
    let mut processes: Vec<u32> = app.host.workers()?.iter().map(|worker| worker.pid).collect();
    processes.push(app.host.pid());
    let owner = app.owner.clone();
    let looping = tokio::spawn(async move { posted(&owner, "loops", &[("go", "1")]).await });
    plugin_app::looping(processes).await?;
    Ok(looping)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_waits_behind_an_endless_loop_goes_on_on_the_next_worker() -> Result<()> {
    for (isolation, workers) in ISOLATIONS {
        let app = PluginApp::new(&format!("[plugins]\nisolation = \"{isolation}\"\ndeadline = 4\n")).await?;
        let manager = app.log_in_as("manager").await?;
        app.workers(workers)?;
        let looping = set_looping(&app).await?;
        let waiting = posted(&manager, "loops", &[("calm", "1")]).await?;
        assert!(waiting.success, "{isolation}: {}", waiting.detail());
        assert_eq!(looping.await??.detail(), INTERNAL);
        assert_eq!(app.stored_names("loops").await?, ["calm"]);
        app.workers(workers)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_second_worker_nobody_waits_behind_an_endless_loop() -> Result<()> {
    let app = PluginApp::new("[plugins]\ndeadline = 60\nworkers = 2\n").await?;
    let manager = app.log_in_as("manager").await?;
    app.workers(2)?;
    let looping = set_looping(&app).await?;
    let calm = posted(&manager, "loops", &[("calm", "1")]).await?;
    assert!(calm.success, "{}", calm.detail());
    assert!(!looping.is_finished(), "the first worker looped all the time");
    app.workers(3)?;
    let listed = app.host.run(&["plugin", "list"], "")?;
    assert!(listed.contains("hostile: running, process, 2 of 2 workers, pid "), "{listed}");
    looping.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_plugin_loops_another_serves() -> Result<()> {
    for (isolation, workers) in ISOLATIONS {
        let mut app = PluginApp::new(&format!("[plugins]\nisolation = \"{isolation}\"\ndeadline = 60\n")).await?;
        let manager = app.log_in_as("manager").await?;
        app.workers(workers)?;
        let looping = set_looping(&app).await?;
        assert!(posted(&manager, "example", &[("name", "meanwhile")]).await?.success, "{isolation}");
        assert!(!looping.is_finished(), "{isolation}: it looped all the time");
        app.host.signal("KILL")?;
        app.base.host.exit_code()?;
        assert!(looping.await?.is_err(), "the host is gone");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_asked_to_stop_while_a_plugin_loops_stops() -> Result<()> {
    for (isolation, workers) in ISOLATIONS {
        let mut app = PluginApp::new(&format!("[plugins]\nisolation = \"{isolation}\"\ndeadline = 2\n")).await?;
        let running = app.workers(workers)?;
        let looping = set_looping(&app).await?;
        app.host.signal("TERM")?;
        assert_eq!(looping.await??.detail(), INTERNAL, "{isolation}: the running request gets a response");
        assert_eq!(app.base.host.exit_code()?, Some(0), "{isolation}");
        left(&running)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_takes_even_a_looping_worker_with_it() -> Result<()> {
    let mut app = PluginApp::new("[plugins]\ndeadline = 60\n").await?;
    let workers = app.workers(2)?;
    let looping = set_looping(&app).await?;
    app.host.signal("KILL")?;
    app.base.host.exit_code()?;
    left(&workers)?;
    assert!(looping.await?.is_err(), "the host is gone");
    Ok(())
}

/// Both ways to run a plugin, with the number of workers of two plugins.
const ISOLATIONS: [(&str, usize); 2] = [("process", 2), ("in-process", 0)];

/// A server that answers when a test says so.
struct DelayedServer {
    url: String,
    port: u16,
    requested: Arc<Notify>,
    release: Arc<Notify>,
    requests: Arc<AtomicUsize>,
}

impl DelayedServer {
    async fn start() -> Result<Self> {
        let (requested, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let requests = Arc::new(AtomicUsize::new(0));
        let (request, released, count) = (requested.clone(), release.clone(), requests.clone());
        let handler = move || async move {
            count.fetch_add(1, Ordering::Relaxed);
            request.notify_one();
            released.notified().await;
            "late"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(handler))).await });
        Ok(Self { url: format!("http://127.0.0.1:{port}/"), port, requested, release, requests })
    }
}

async fn asks(user: HttpClient, url: String) -> Result<DialogMessage> {
    posted(&user, "asks", &[("go", "1"), ("target", &url)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_waits_for_an_answer_lives_through_the_end_of_its_plugin() -> Result<()> {
    let cases: [(&str, usize, &[&str]); 2] =
        [("process", 2, &["aborts", "loops", "panics", "writes-junk"]), ("in-process", 0, &["loops", "panics"])];
    for (isolation, workers, harms) in cases {
        let server = DelayedServer::start().await?;
        let allowed = format!("[http]\nallow-private = [\"127.0.0.1:{}\"]\n", server.port);
        let app = PluginApp::new(&format!("[plugins]\nisolation = \"{isolation}\"\ndeadline = 1\n{allowed}")).await?;
        let manager = app.log_in_as("manager").await?;
        for (requests, harm) in (1..).zip(harms) {
            let waiting = tokio::spawn(asks(manager.clone(), server.url.clone()));
            server.requested.notified().await;
            assert_eq!(app.harm(harm, "").await?.detail(), INTERNAL);
            server.release.notify_one();
            let dialog = waiting.await?.context("the setup that waited")?;
            assert!(dialog.success && dialog.data["name"] == "late", "{isolation}, {harm}: {}", dialog.data);
            assert_eq!(server.requests.load(Ordering::Relaxed), requests, "{harm}: no request is sent twice");
        }
        app.workers(workers)?;
    }
    Ok(())
}
