//! Hostile plugins inside the host, as far as a host can survive them: panics, endless loops,
//! floods.

use anyhow::Result;

use crate::app::plugin_app::PluginApp;

const IN_PROCESS: &str = "[plugins]\nisolation = \"in-process\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_harm_costs_one_setup() -> Result<()> {
    let app = PluginApp::new(IN_PROCESS).await?;
    for (provider, reasons, words) in [
        ("panics", &["panic"][..], "a plain panic"),
        ("panics-in-drop", &["panic"], "panics in drop"),
        ("oversized-answer", &["oversized"], ""),
        ("deep-answer", &["answer"], ""),
    ] {
        app.assert_contained(provider, reasons, words).await?;
        app.assert_calm(provider).await?;
    }
    app.workers(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_a_plugin_that_overran_is_loaded_anew() -> Result<()> {
    let app = PluginApp::new(&format!("{IN_PROCESS}deadline = 1\n")).await?;
    for _ in 0..2 {
        app.assert_contained("loops", &["deadline"], "1").await?;
        app.assert_calm("loops").await?;
        app.assert_calm("panics").await?;
    }
    app.workers(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_panics_and_new_starts_use_up_no_descriptors() -> Result<()> {
    let app = PluginApp::new(&format!("{IN_PROCESS}deadline = 1\n")).await?;
    app.assert_calm("panics").await?;
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", app.host.pid())).map(Iterator::count);
    let before = descriptors()?;
    for _ in 0..10 {
        app.harm("panics", "").await?;
    }
    for _ in 0..3 {
        app.assert_contained("loops", &["deadline"], "1").await?;
        app.assert_calm("loops").await?;
    }
    let after = descriptors()?;
    assert!(after < before + 5, "{before} descriptors, then {after}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_a_flood_of_log_lines_does_not_drown_the_log() -> Result<()> {
    let app = PluginApp::new(IN_PROCESS).await?;
    let before = app.host.log()?.len();
    app.harm("floods-log", "").await?;
    app.example_works().await?;
    app.assert_calm("floods-log").await?;
    let grown = app.host.log()?.len() - before;
    assert!(grown < 2 << 20, "the log has grown by {grown} bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plugin_may_run_inside_and_another_in_a_worker() -> Result<()> {
    let app = PluginApp::new("[plugins.example]\nisolation = \"in-process\"\n").await?;
    app.workers(1)?;
    app.assert_contained("aborts", &["signal"], "SIGABRT").await?;
    app.assert_calm("aborts").await?;
    app.workers(1)?;
    Ok(())
}

/// The reason for workers. It also shows that their tests can fail.
#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_a_plugin_gets_what_it_reaches_for() -> Result<()> {
    let app = PluginApp::new(IN_PROCESS).await?;
    let folder = app.host.folder().to_owned();
    let host = app.host.pid().to_string();
    for (provider, target) in [
        ("opens-a-socket", format!("127.0.0.1:{}", app.slack.port())),
        ("reads-the-secret-key", folder.join("data/secret.key").display().to_string()),
        ("writes-a-file", folder.join("data/made-by-a-plugin").display().to_string()),
        ("reads-proc", host),
        ("executes", String::new()),
        ("threads", String::new()),
        ("writes-executable-memory", String::new()),
        ("environment", String::new()),
    ] {
        let dialog = app.harm(provider, &target).await?;
        let got = dialog.data["name"].as_str().unwrap_or_default();
        assert!(got.starts_with("leaked: "), "{provider} got {got:?}");
    }
    assert!(folder.join("data/made-by-a-plugin").exists());
    Ok(())
}
