//! Plugins that are out for harm inside the host, as far as a host can live through it: panics, no end, too much of everything.

use anyhow::Result;

use crate::scene::Scene;

const IN_PROCESS: &str = "[plugins]\nisolation = \"in-process\"\ndeadline = 1\n";

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_harm_costs_one_set_up() -> Result<()> {
    let scene = Scene::new(IN_PROCESS).await?;
    for (provider, reasons, words) in [
        ("panics", &["panic"][..], "a plain panic"),
        ("panics-in-drop", &["panic"], "panics in drop"),
        ("oversized-answer", &["oversized"], ""),
        ("deep-answer", &["protocol", "oversized"], ""),
    ] {
        scene.assert_contained(provider, reasons, words).await?;
        scene.assert_calm(provider).await?;
    }
    scene.workers(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_host_a_plugin_that_overran_is_loaded_anew() -> Result<()> {
    let scene = Scene::new(IN_PROCESS).await?;
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
