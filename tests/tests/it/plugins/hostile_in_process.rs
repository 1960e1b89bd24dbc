//! Plugins that are out for harm inside the host, as far as a host can live through it: panics, no end, too much of everything.

use anyhow::Result;

use crate::app::hostile_app::Scene;

const IN_PROCESS: &str = "[plugins]\nisolation = \"in-process\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_harm_costs_one_set_up() -> Result<()> {
    let scene = Scene::new(IN_PROCESS).await?;
    for (provider, reasons, words) in [
        ("panics", &["panic"][..], "a plain panic"),
        ("panics-in-drop", &["panic"], "panics in drop"),
        ("oversized-answer", &["oversized"], ""),
        ("deep-answer", &["answer"], ""),
    ] {
        scene.assert_contained(provider, reasons, words).await?;
        scene.assert_calm(provider).await?;
    }
    scene.workers(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_a_plugin_that_overran_is_loaded_anew() -> Result<()> {
    let scene = Scene::new(&format!("{IN_PROCESS}deadline = 1\n")).await?;
    for _ in 0..2 {
        scene.assert_contained("loops", &["deadline"], "1").await?;
        scene.assert_calm("loops").await?;
        scene.assert_calm("panics").await?;
    }
    scene.workers(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_a_flood_of_log_lines_does_not_drown_the_log() -> Result<()> {
    let scene = Scene::new(IN_PROCESS).await?;
    let before = scene.stage.host.log()?.len();
    scene.harm("floods-log", "").await?;
    scene.example_works().await?;
    scene.assert_calm("floods-log").await?;
    let grown = scene.stage.host.log()?.len() - before;
    assert!(grown < 2 << 20, "the log has grown by {grown} bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_plugin_may_run_inside_and_another_in_a_worker() -> Result<()> {
    let scene = Scene::new("[plugins.example]\nisolation = \"in-process\"\n").await?;
    scene.workers(1)?;
    scene.assert_contained("aborts", &["signal"], "SIGABRT").await?;
    scene.assert_calm("aborts").await?;
    scene.workers(1)?;
    Ok(())
}

/// What workers are for; and it shows that the tests of them can fail.
#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_a_plugin_gets_what_it_reaches_for() -> Result<()> {
    let scene = Scene::new(IN_PROCESS).await?;
    let folder = scene.stage.host.folder().to_owned();
    let host = scene.stage.host.pid().to_string();
    for (provider, target) in [
        ("opens-a-socket", format!("127.0.0.1:{}", scene.stage.slack.port())),
        ("reads-the-secret-key", folder.join("data/secret.key").display().to_string()),
        ("writes-a-file", folder.join("data/made-by-a-plugin").display().to_string()),
        ("reads-proc", host),
        ("executes", String::new()),
        ("threads", String::new()),
        ("writes-executable-memory", String::new()),
        ("environment", String::new()),
    ] {
        let dialog = scene.harm(provider, &target).await?;
        let got = dialog.data["name"].as_str().unwrap_or_default();
        assert!(got.starts_with("leaked: "), "{provider} got {got:?}");
    }
    assert!(folder.join("data/made-by-a-plugin").exists());
    Ok(())
}
