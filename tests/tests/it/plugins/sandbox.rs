//! A kernel without the features that confine plugins: the operator is told, and may require them.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::{
    host::{HostBuilder, Program},
    stand_in_slack::StandInSlack,
};

use crate::{
    app::plugin_app::{PluginApp, readable},
    app::{program, redacted, redacted_record},
};

/// A host on a kernel that lacks a feature.
fn without(lacking: &str) -> HostBuilder {
    let host = program().path.display().to_string();
    let path = env!("CARGO_BIN_EXE_lesser-kernel").into();
    HostBuilder::new(Program { path, arguments: vec![lacking.to_owned(), host] }).plugin("example")
}

#[test]
fn a_host_that_must_confine_its_plugins_does_not_start_where_it_cannot() -> Result<()> {
    let mut refusals = Vec::new();
    for lacking in ["landlock", "seccomp"] {
        refusals.push(without(lacking).toml("[plugins]\nsandbox = \"required\"\n").log("error").start_error()?);
    }
    assert_snapshot!(redacted(&refusals.join("\n")), @r#"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libexample.so: cannot be held: this system lacks landlock (the kernel does not have it, or has it switched off)
      help: run on a kernel that has landlock and seccomp switched on (Linux 5.13 or later), or let plugins run with what there is: [plugins] sandbox = "best-effort"

    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libexample.so: cannot be held: this system lacks seccomp (Invalid argument (os error 22)), seccomp-sealed (Invalid argument (os error 22))
      help: run on a kernel that has landlock and seccomp switched on (Linux 5.13 or later), or let plugins run with what there is: [plugins] sandbox = "best-effort"
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_confines_its_plugins_as_well_as_it_can_says_what_is_missing() -> Result<()> {
    let mut warnings = Vec::new();
    for lacking in ["landlock", "seccomp"] {
        let app = PluginApp::of(readable(without(lacking)), StandInSlack::start().await?).await?;
        app.example_works().await?;
        let warned = app.records()?.into_iter().filter(|record| record["level"] == "WARN");
        warnings.extend(warned.map(|record| redacted_record(&record)));
        let listed = app.host.run(&["plugin", "list"], "")?;
        warnings.extend(listed.lines().filter(|line| line.contains("MISSING")).map(|line| line.trim().to_owned()));
        let workers = app.workers(1)?;
        app.assert_nothing_is_left(&workers)?;
    }
    assert_snapshot!(warnings.join("\n"), @r#"
    {
      "level": "WARN",
      "message": "the plugin's worker is not held by all of the sandbox: this system lacks a part of it",
      "missing": "landlock (the kernel does not have it, or has it switched off)",
      "plugin.name": "jackfield-plugin-example"
    }
    MISSING landlock (the kernel does not have it, or has it switched off)
    {
      "level": "WARN",
      "message": "the plugin's worker is not held by all of the sandbox: this system lacks a part of it",
      "missing": "seccomp (Invalid argument (os error 22)), seccomp-sealed (Invalid argument (os error 22))",
      "plugin.name": "jackfield-plugin-example"
    }
    MISSING seccomp (Invalid argument (os error 22)), seccomp-sealed (Invalid argument (os error 22))
    "#);
    Ok(())
}

#[test]
fn a_unit_that_forbids_landlock_is_told_which_calls_to_allow() -> Result<()> {
    let mut refusals = vec![without("unit-that-kills").log("error").start_error()?];
    let required = "[plugins]\nsandbox = \"required\"\n";
    refusals.push(without("unit-that-refuses").toml(required).log("error").start_error()?);
    assert_snapshot!(redacted(&refusals.join("\n")), @r#"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libexample.so: no worker can be started for it: a system-call filter of the service or container ends the worker (SIGSYS): it forbids landlock_create_ruleset, landlock_add_rule, landlock_restrict_self
      help: add `SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self` to the service's unit, below its other filters, as config/jackfield.service has it; or allow these calls in the container's seccomp profile

    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libexample.so: cannot be held: this system lacks landlock (a system-call filter forbids landlock_create_ruleset, landlock_add_rule, landlock_restrict_self)
      help: add `SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self` to the service's unit, below its other filters, as config/jackfield.service has it; or allow these calls in the container's seccomp profile
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_unit_that_forbids_landlock_plugins_are_held_by_all_else_and_the_log_says_what_to_allow() -> Result<()> {
    let app = PluginApp::of(readable(without("unit-that-refuses")), StandInSlack::start().await?).await?;
    app.example_works().await?;
    let warned =
        app.records()?.into_iter().find(|record| record["level"] == "WARN").map(|record| redacted_record(&record));
    assert_snapshot!(warned.unwrap_or_default(), @r#"
    {
      "help": "add `SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self` to the service's unit, below its other filters, as config/jackfield.service has it; or allow these calls in the container's seccomp profile",
      "level": "WARN",
      "message": "the plugin's worker is not held by all of the sandbox: this system lacks a part of it",
      "missing": "landlock (a system-call filter forbids landlock_create_ruleset, landlock_add_rule, landlock_restrict_self)",
      "plugin.name": "jackfield-plugin-example"
    }
    "#);
    let listed = app.host.run(&["plugin", "list"], "")?;
    assert!(listed.contains("no-new-privileges, seccomp, seccomp-sealed, undumpable"), "{listed}");
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
