//! A kernel that lacks what plugins are confined with: said everywhere, and not put up with where the operator says so.

use anyhow::Result;
use jackfield_test_support::{
    host::{HostBuilder, Program},
    stand_in_slack::StandInSlack,
};

use crate::{
    app::plugin_app::{PluginApp, readable},
    app::program,
};

/// A host on a kernel that lacks this.
fn without(lacking: &str) -> HostBuilder {
    let host = program().path.display().to_string();
    let path = env!("CARGO_BIN_EXE_lesser-kernel").into();
    HostBuilder::new(Program { path, arguments: vec![lacking.to_owned(), host] }).plugin("example")
}

#[test]
fn a_host_that_must_confine_its_plugins_does_not_start_where_it_cannot() -> Result<()> {
    for lacking in ["landlock", "seccomp"] {
        let said = without(lacking).toml("[plugins]\nsandbox = \"required\"\n").log("error").start_error()?;
        assert!(said.contains(&format!("cannot be held: this system lacks {lacking}")), "{lacking}: {said}");
        assert!(said.contains("help: run on a kernel that has landlock and seccomp"), "{lacking}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_confines_its_plugins_as_well_as_it_can_says_what_is_missing() -> Result<()> {
    for lacking in ["landlock", "seccomp"] {
        let app = PluginApp::of(readable(without(lacking)), StandInSlack::start().await?).await?;
        app.example_works().await?;
        let log = app.host.log()?;
        assert!(log.lines().any(|line| line.contains("\"WARN\"") && line.contains(lacking)), "{lacking}: {log}");
        let listed = app.host.run(&["plugin", "list"], "")?;
        assert!(listed.lines().any(|line| line.contains("MISSING") && line.contains(lacking)), "{lacking}: {listed}");
        let workers = app.workers(1)?;
        app.assert_nothing_is_left(&workers)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_must_confine_its_plugins_does_so_here() -> Result<()> {
    let builder = readable(HostBuilder::new(program())).plugin("example").toml("[plugins]\nsandbox = \"required\"\n");
    let app = PluginApp::of(builder, StandInSlack::start().await?).await?;
    app.example_works().await?;
    assert!(!app.host.log()?.contains("\"WARN\""), "{}", app.host.log()?);
    Ok(())
}
