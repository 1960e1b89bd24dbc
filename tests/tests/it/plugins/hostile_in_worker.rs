//! Hostile plugins, each in a worker process: the worst of them ends one setup.

use std::{collections::BTreeSet, fs};

use anyhow::Result;
use jackfield_test_support::{
    host::{HostBuilder, Program},
    processes::Process,
    stand_in_slack::StandInSlack,
};

use super::confinement::assert_held;
use crate::{
    app::plugin_app::{PluginApp, left, readable},
    app::program,
};

const DEADLINE: &str = "[plugins]\ndeadline = 1\n";

/// Each harm is contained, the provider works again, and no process is left.
async fn contained(toml: &str, cases: &[(&str, &[&str], &str)]) -> Result<()> {
    let app = PluginApp::new(toml).await?;
    app.workers(2)?;
    for (provider, reasons, words) in cases {
        app.assert_contained(provider, reasons, words).await?;
        app.assert_calm(provider).await?;
        app.workers(2)?;
    }
    let workers = app.workers(2)?;
    app.assert_nothing_is_left(&workers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_crashes_costs_one_setup() -> Result<()> {
    contained(
        DEADLINE,
        &[
            ("null-dereference", &["signal"], "SIGSEGV"),
            ("aborts", &["signal"], "SIGABRT"),
            ("exits", &["exit"], "0"),
            ("recurses", &["signal"], "SIG"),
            ("panics-twice", &["signal"], "SIGABRT"),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_wants_all_memory_costs_one_setup() -> Result<()> {
    let memory = "[plugins.hostile]\nmemory = 300\n";
    contained(memory, &[("allocates", &["memory"], "300 MiB"), ("allocates-at-once", &["memory"], "300 MiB")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_comes_to_no_end_is_ended() -> Result<()> {
    contained(
        DEADLINE,
        &[
            ("loops", &["deadline"], "1"),
            ("trickles", &["deadline", "protocol"], ""),
            ("reads-the-socket", &["deadline"], ""),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_wherever_it_is_costs_one_setup() -> Result<()> {
    contained(
        DEADLINE,
        &[
            ("panics", &["panic"], "a plain panic"),
            ("panics-in-drop", &["panic"], "panics in drop"),
            ("panics", &["panic"], "a plain panic"),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_to_the_question_is_not_believed() -> Result<()> {
    contained(
        DEADLINE,
        &[
            ("writes-junk", &["protocol", "oversized"], ""),
            ("writes-oversized", &["oversized", "protocol"], ""),
            ("answers-another-call", &["protocol"], ""),
            ("closes-the-socket", &["protocol", "exit", "signal"], ""),
            ("hangs-up-and-loops", &["protocol"], "closed its socket"),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_much_is_not_taken() -> Result<()> {
    contained("", &[("oversized-answer", &["oversized"], ""), ("deep-answer", &["answer"], "")]).await
}

/// An answer that comes before its question does not answer another question.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_question_answers_no_other_question() -> Result<()> {
    let app = PluginApp::new(DEADLINE).await?;
    app.harm("answers-before-asked", "").await?;
    app.assert_calm("loops").await?;
    app.assert_calm("answers-before-asked").await?;
    app.example_works().await?;
    assert!(!app.stored_names("loops").await?.iter().any(|name| name == "the next"));
    app.workers(2)?;
    Ok(())
}

/// The call ends in a signal to the worker itself, or in an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_itself_or_calls_another_abi_is_ended_or_refused() -> Result<()> {
    let app = PluginApp::new(DEADLINE).await?;
    for provider in ["stops-itself", "calls-another-abi"] {
        let dialog = app.harm(provider, "").await?;
        assert!(!dialog.success || dialog.data["name"] == "EPERM", "{provider}: {}", dialog.data);
        app.example_works().await?;
        app.assert_calm(provider).await?;
    }
    let workers = app.workers(2)?;
    app.assert_nothing_is_left(&workers)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_reaches_for_is_refused() -> Result<()> {
    assert_all_is_refused(PluginApp::new(DEADLINE).await?).await
}

/// Makes each provider reach for what is not its own.
pub(super) async fn assert_all_is_refused(app: PluginApp) -> Result<()> {
    let workers = app.workers(2)?;
    let (host, folder) = (app.host.pid().to_string(), app.host.folder().to_owned());
    let (key, made) = (folder.join("data/secret.key"), folder.join("data/made-by-a-plugin"));
    assert!(key.exists(), "there is a key to read");
    let mut leaks = Vec::new();
    for (provider, target) in [
        ("opens-a-socket", format!("127.0.0.1:{}", app.slack.port())),
        ("reads-the-secret-key", key.display().to_string()),
        ("writes-a-file", made.display().to_string()),
        ("reads-proc", host.clone()),
        ("executes", String::new()),
        ("forks", String::new()),
        ("threads", String::new()),
        ("kills-its-parent", host.clone()),
        ("asks-for-signals", host.clone()),
        ("traces-its-parent", host.clone()),
        ("loosens-its-limits", String::new()),
        ("asks-the-kernel", String::new()),
        ("writes-executable-memory", String::new()),
    ] {
        let dialog = app.harm(provider, &target).await?;
        assert!(dialog.success, "{provider} continues: {}", dialog.detail());
        let got = dialog.data["name"].as_str().unwrap_or_default();
        if !got.split(", ").all(|name| ["EPERM", "EACCES", "ENOSYS"].contains(&name)) {
            leaks.push(format!("{provider} got {got:?}"));
        }
        app.example_works().await?;
        app.assert_calm(provider).await?;
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(app.slack.requests().is_empty() && !made.exists());
    assert_eq!(pids(&app.workers(2)?), pids(&workers), "a refusal ends no worker");
    app.assert_nothing_is_left(&workers)
}

fn pids(workers: &[Process]) -> BTreeSet<u32> {
    workers.iter().map(|worker| worker.pid).collect()
}

/// The host is started with a secret in its environment and with an open descriptor.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_inherits_nothing_but_its_socket() -> Result<()> {
    let host = program().path.display().to_string();
    let words = ["-c", "exec 9</etc/passwd; exec \"$0\" \"$@\"", &host].map(str::to_owned);
    let program = Program { path: "/bin/sh".into(), arguments: words.into() };
    let builder = readable(HostBuilder::new(program)).env("A_SECRET", "s3cret").plugin("hostile").plugin("example");
    let app = PluginApp::of(builder, StandInSlack::start().await?).await?;
    assert!(fs::exists(format!("/proc/{}/fd/9", app.host.pid()))?, "the host has it");
    assert_eq!(app.harm("environment", "").await?.data["name"], "nothing");
    for worker in app.workers(2)? {
        assert_held(&worker)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_words_drowns_neither_host_nor_log() -> Result<()> {
    let app = PluginApp::new("").await?;
    for provider in ["floods-stderr", "floods-log"] {
        let before = app.host.log()?.len();
        app.harm(provider, "").await?;
        app.example_works().await?;
        app.assert_calm(provider).await?;
        let grown = app.host.log()?.len() - before;
        assert!(grown < 2 << 20, "{provider}: the log has grown by {grown} bytes");
    }
    let workers = app.workers(2)?;
    app.assert_nothing_is_left(&workers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_from_outside_is_replaced() -> Result<()> {
    let app = PluginApp::new("").await?;
    for worker in app.workers(2)? {
        std::process::Command::new("kill").args(["-KILL", &worker.pid.to_string()]).status()?;
        left(&[worker])?;
    }
    app.example_works().await?;
    app.assert_calm("loops").await?;
    app.workers(2)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_is_overwritten_once_it_was_judged_changes_nothing() -> Result<()> {
    for isolation in ["process", "in-process"] {
        let app = PluginApp::new(&format!("{DEADLINE}isolation = \"{isolation}\"\n")).await?;
        // In place: the kernel would end a process that has mapped the file.
        fs::write(app.host.folder().join("plugins/libhostile.so"), "junk")?;
        app.assert_calm("loops").await?;
        app.assert_contained("loops", &["deadline"], "").await?;
        app.assert_calm("loops").await?;
    }
    Ok(())
}
