//! What holds a worker: seen from outside, for hosts of root and of an ordinary user, and when the
//! host is gone.

use std::{fs, os::unix::process::ExitStatusExt};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::{HostBuilder, Program},
    http_client::HttpClient,
    processes::{self, Process, until},
    stand_in_slack::StandInSlack,
};
use rustix::process::geteuid;

use super::hostile_in_worker::assert_all_is_refused;
use crate::{
    app::{
        plugin_app::{PluginApp, left, looping, posted, readable},
        program,
    },
    compatibility::worker_client::WorkerLine,
};

/// The user of `lesser-kernel`.
const ORDINARY: u32 = 12345;

/// A host that lacks something, with the hostile plugin and the good one.
fn without(lacking: &str) -> HostBuilder {
    let host = program().path.display().to_string();
    let path = env!("CARGO_BIN_EXE_lesser-kernel").into();
    let builder = HostBuilder::new(Program { path, arguments: vec![lacking.to_owned(), host] });
    readable(builder).plugin("hostile").plugin("example").toml("[plugins]\nsandbox = \"required\"\n")
}

async fn started(builder: HostBuilder) -> Result<PluginApp> {
    PluginApp::of(builder, StandInSlack::start().await?).await
}

/// Hosts of every kind of user that this test can be: root is another user too.
async fn of_each_user() -> Result<Vec<PluginApp>> {
    let mut apps = vec![PluginApp::new("").await?];
    if geteuid().is_root() {
        for lacking in ["root", "most-of-root"] {
            apps.push(started(without(lacking).owned_by(ORDINARY)).await?);
        }
    }
    Ok(apps)
}

/// Asserts what the kernel says of a worker.
pub(super) fn assert_held(worker: &Process) -> Result<()> {
    let of = |file: &str| format!("/proc/{}/{file}", worker.pid);
    let status = fs::read_to_string(of("status"))?;
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(line("NoNewPrivs:").ends_with('1') && line("Seccomp:").ends_with('2'), "{status}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert!(line(set).ends_with("0000000000000000"), "{status}");
    }
    assert!(!line("Uid:").contains("\t0"), "{status}");
    assert_eq!(worker.group, worker.pid, "a stopped worker is in a group of its own");
    let score = |file: &str| -> Result<i32> { Ok(fs::read_to_string(file)?.trim().parse()?) };
    let (worker, ours) = (score(&of("oom_score_adj"))?, score("/proc/self/oom_score_adj")?);
    assert!(worker >= (ours + 500).min(1000), "a worker is ended before its host: {worker}");
    // Only root can read the rest; the worker's own user cannot.
    if let Ok(environment) = fs::read(of("environ")) {
        assert_eq!(environment, b"");
        let descriptors = fs::read_dir(of("fd"))?.map(|entry| Ok(fs::read_link(entry?.path())?.display().to_string()));
        let mut descriptors: Vec<String> = descriptors.collect::<Result<_>>()?;
        descriptors.sort();
        let kinds: Vec<_> = descriptors.iter().map(|name| name.split(':').next().unwrap_or_default()).collect();
        assert_eq!(kinds, ["/dev/null", "/dev/null", "pipe", "pipe", "socket"], "{descriptors:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_no_rights_whatever_rights_its_host_has() -> Result<()> {
    for app in of_each_user().await? {
        for worker in app.workers(2)? {
            assert_held(&worker)?;
        }
        app.example_works().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_of_an_ordinary_users_host_reaches_for_is_refused() -> Result<()> {
    // Who is not root is an ordinary user already.
    if !geteuid().is_root() {
        return Ok(());
    }
    assert_all_is_refused(started(without("root").owned_by(ORDINARY)).await?).await
}

/// A killed host does nothing for its workers any more. One of them is busy with a question.
#[tokio::test(flavor = "multi_thread")]
async fn no_worker_outlives_a_killed_host() -> Result<()> {
    for app in of_each_user().await? {
        let workers = app.workers(2)?;
        let asked = ask_in_background(&app.owner, "loops");
        looping(workers.iter().map(|worker| worker.pid).collect()).await?;
        app.host.signal("KILL")?;
        left(&workers)?;
        asked.abort();
    }
    Ok(())
}

fn ask_in_background(owner: &HttpClient, provider: &'static str) -> tokio::task::JoinHandle<()> {
    let owner = owner.clone();
    tokio::spawn(async move { posted(&owner, provider, &[("go", "1")]).await.map_or((), drop) })
}

/// The parent of this worker lives on, and so does the socket.
#[test]
fn a_worker_ends_when_nobody_holds_the_other_end_of_its_pipe() -> Result<()> {
    let status = WorkerLine::start("example")?.hang_up()?;
    assert_eq!(status.signal(), Some(libc::SIGKILL), "{status}");
    Ok(())
}

/// A plugin answers in time and goes on: it computes, or writes what the host would have to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_nobody_asks_uses_no_processor() -> Result<()> {
    for provider in ["computes-unasked", "writes-unasked"] {
        let app = PluginApp::new("").await?;
        app.owner.start_setup("acme", provider).await?;
        let page = app.owner.post(&format!("/extensions/{provider}/setup/"), &[("go", "1")]).await?;
        ensure!(page.text.contains("<form"), "{provider} has answered: {}", page.text);
        for worker in app.workers(2)? {
            until(|| processes::read(worker.pid), |process| process.state == 'T')?;
        }
        app.example_works().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_gets_the_system_calls_that_it_needs_and_no_others() -> Result<()> {
    let app = PluginApp::new("").await?;
    let dialog = app.harm("tries-every-call", "").await?;
    let allowed = dialog.data["name"].as_str().context("the numbers of calls")?;
    let mut expected = vec![
        libc::SYS_brk,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_close,
        libc::SYS_futex,
        libc::SYS_getpid,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_gettimeofday,
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_nanosleep,
        libc::SYS_read,
        libc::SYS_restart_syscall,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sched_yield,
        libc::SYS_sigaltstack,
        libc::SYS_write,
        libc::SYS_writev,
    ];
    expected.sort_unstable();
    let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, expected.join(" "));
    app.example_works().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_without_close_range_runs_plugins() -> Result<()> {
    let app = started(without("close_range")).await?;
    for worker in app.workers(2)? {
        assert_held(&worker)?;
    }
    app.example_works().await
}
