//! Several people at one plugin, one of whom brings harm over it: the others go on, on its next worker.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use axum::{Router, routing::get};
use jackfield_tests::{
    person::Person,
    processes::{Process, until},
    stand_in_slack::StandInSlack,
};
use tokio::{net::TcpListener, sync::Notify};

use crate::{
    scene::{INTERNAL, Scene, posted, readable},
    stage::bare,
};

/// Waits until the worker of the hostile plugin is busy for as long as only an endless loop is.
fn is_looping(workers: &[Process]) -> Result<()> {
    let used = |workers: &[Process]| -> Result<Vec<u64>> {
        workers.iter().map(|worker| Ok(jackfield_tests::processes::read(worker.pid)?.ticks)).collect()
    };
    let before = used(workers)?;
    let grown = || Ok(used(workers)?.iter().zip(&before).map(|(now, before)| now - before).max());
    until(grown, |grown| *grown >= Some(20)).map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_that_waits_behind_an_endless_loop_goes_on_on_the_next_worker() -> Result<()> {
    let scene = Scene::new("[plugins]\ndeadline = 2\n").await?;
    let manager = scene.stage.person("manager").await?;
    let workers = scene.workers(2)?;
    let (owner, form) = (scene.owner.clone(), [("go", "1")]);
    let looping = tokio::spawn(async move { posted(&owner, "loops", &form).await });
    tokio::task::spawn_blocking(move || is_looping(&workers)).await??;
    let waiting = posted(&manager, "loops", &[("calm", "1")]).await?;
    assert!(waiting.success, "{}", waiting.detail());
    assert_eq!(looping.await??.detail(), INTERNAL);
    assert_eq!(scene.stored("loops").await?, ["calm"]);
    scene.workers(2)?;
    Ok(())
}

/// A server that answers when it is told to.
struct Late {
    url: String,
    port: u16,
    asked: Arc<Notify>,
    answer: Arc<Notify>,
    count: Arc<AtomicUsize>,
}

impl Late {
    async fn start() -> Result<Self> {
        let (asked, answer, count) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (tells, waits, counts) = (asked.clone(), answer.clone(), count.clone());
        let handler = move || async move {
            counts.fetch_add(1, Ordering::Relaxed);
            tells.notify_one();
            waits.notified().await;
            "late"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(handler))).await });
        Ok(Self { url: format!("http://127.0.0.1:{port}/"), port, asked, answer, count })
    }
}

async fn asks(person: Person, url: String) -> Result<jackfield_tests::person::DialogAnswer> {
    posted(&person, "asks", &[("go", "1"), ("target", &url)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_that_waits_for_an_answer_lives_through_the_death_of_its_worker() -> Result<()> {
    for harm in ["aborts", "loops", "panics-twice", "writes-junk"] {
        let late = Late::start().await?;
        let toml = format!("[plugins]\ndeadline = 1\n[http]\nallow-private = [\"127.0.0.1:{}\"]\n", late.port);
        let builder = readable(bare()).plugin("hostile").plugin("example").toml(&toml);
        let scene = Scene::of(builder, StandInSlack::start().await?).await?;
        let manager = scene.stage.person("manager").await?;
        let waiting = tokio::spawn(asks(manager, late.url.clone()));
        late.asked.notified().await;
        assert_eq!(scene.harm(harm, "").await?.detail(), INTERNAL);
        late.answer.notify_one();
        let dialog = waiting.await?.context("the one who waited")?;
        assert!(dialog.success && dialog.data["name"] == "late", "{harm}: {}", dialog.data);
        assert_eq!(late.count.load(Ordering::Relaxed), 1, "{harm}: nothing is asked twice");
        scene.workers(2)?;
    }
    Ok(())
}
