//! A provider, its options, its stored tokens and its identities belong to one plugin.

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{host::HostBuilder, stand_in_slack::StandInSlack};

use crate::app::{
    bare,
    plugin_app::{INTERNAL, PluginApp, posted, readable},
    redacted,
};

const SECRET: &str = "the-operators-slack-secret";

fn with_slack_options(builder: HostBuilder, more: &str) -> HostBuilder {
    let slack = format!("[slack]\nclient-id = \"id\"\nclient-secret = \"{SECRET}\"\nsigning-secret = \"s\"\n");
    readable(builder).toml(&format!("[plugins]\non-failure = \"skip\"\n{more}{slack}"))
}

/// What the impostor has read of Slack's options, as the name of its integration.
async fn read_by_the_impostor(builder: HostBuilder) -> Result<String> {
    let app = PluginApp::of(builder, StandInSlack::start().await?).await?;
    let dialog = posted(&app.owner, "impostor", &[("type", "impostor")]).await?;
    assert!(dialog.success, "its own provider is used: {}", dialog.detail());
    Ok(dialog.data["name"].as_str().context("a name")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_poses_as_slack_gets_none_of_its_options() -> Result<()> {
    let beside = bare().plugin("impostor").plugin("slack");
    let instead = bare().plugin("impostor").on_disk("slack");
    for builder in [with_slack_options(beside, ""), with_slack_options(instead, "")] {
        assert_eq!(read_by_the_impostor(builder).await?, "nothing");
    }
    let named = "[plugins.impostor]\nproviders = [\"impostor\", \"slack\"]\n";
    let named = with_slack_options(bare().plugin("impostor").on_disk("slack"), named);
    assert_eq!(read_by_the_impostor(named).await?, SECRET, "the operator has said so: the test can fail");
    Ok(())
}

#[test]
fn two_plugins_with_one_provider_stop_the_start_unless_the_operator_names_one() -> Result<()> {
    let both = || bare().plugin("impostor").plugin("slack");
    assert_snapshot!(redacted(&both().start_error()?), @r#"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libimpostor.so: two providers with the id `slack`: in plugins/libslack.so and here
      help: list only one of the two, or name the one that may have it: [plugins.ENTRY] providers = ["slack"]
    "#);
    let names = "[plugins.slack]\nproviders = [\"slack\"]\n";
    assert_snapshot!(redacted(&both().toml(names).start_error()?), @r#"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libimpostor.so: has the provider `slack`, which [plugins.slack] providers names
      help: list only one of the two, or name "slack" for this plugin instead
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_stays_with_its_plugin_until_the_operator_gives_it_away() -> Result<()> {
    let app = PluginApp::of(readable(bare().plugin("example")), StandInSlack::start().await?).await?;
    app.example_works().await?;
    let database = app.host.settings()?.database.url.as_str().to_owned();
    app.host.reconfigure(&bare().plugin("duplicate_id").database(Some(database)))?;
    let (is_good, said) = app.host.output(&["reload"])?;
    assert!(!is_good);
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    [folder]/jackfield.toml:1: default-integrations: plugins/libduplicate_id.so: has the provider `example`, which belongs to the plugin `jackfield-plugin-example`: found the plugin `jackfield-fixture-duplicate-id`
      help: if the new plugin is to get the stored tokens of its integrations: `jackfield plugin adopt example duplicate_id`
    ");
    app.example_works().await.context("everything is as it was")?;

    let adopt = |id: &str, entry: &str| app.host.output(&["plugin", "adopt", id, entry]);
    let library = "duplicate_id";
    let mut refused = String::new();
    for (id, entry) in [("Example", library), ("slack", library), ("example", "slack")] {
        let (is_good, said) = adopt(id, entry)?;
        assert!(!is_good, "{said}");
        refused.push_str(&said);
    }
    assert_snapshot!(redacted(&refused), @r#"
    error: "Example" is not the id of a provider: ids are 1 to 64 of a-z, 0-9, - and _
    error: plugins/libduplicate_id.so has no provider `slack`
      help: it has example
    error: `slack` is not in default-integrations
      help: take one of duplicate_id
    "#);
    let (is_good, said) = adopt("example", library)?;
    assert!(is_good);
    assert_snapshot!(redacted(&said), @"
    `example` belonged to the plugin `jackfield-plugin-example`, and belongs to the plugin `jackfield-fixture-duplicate-id` now: plugins/libduplicate_id.so
    start the host, or run `jackfield reload`
    ");
    app.host.run(&["reload"], "")?;
    let listed = app.host.run(&["audit", "list"], "")?;
    let adopted: Vec<&str> = listed.lines().filter(|line| line.contains("provider-adoption")).collect();
    assert_eq!(adopted.len(), 1, "{listed}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_brings_identities_of_its_own_types_only() -> Result<()> {
    let builder = |more: &str| with_slack_options(bare().plugin("impostor").plugin("slack"), more);
    let app = PluginApp::of(builder(""), StandInSlack::start().await?).await?;
    let dialog = posted(&app.owner, "impostor", &[("type", "slack")]).await?;
    assert_eq!((dialog.success, dialog.detail()), (false, INTERNAL));
    let said = "the plugin brings an identity of a type that belongs to another; to allow it, add the type to \
                [plugins.ENTRY] identities";
    assert_snapshot!(app.record(said)?, @r#"
    {
      "identity.owner": "jackfield-plugin-slack",
      "identity.type": "slack",
      "level": "WARN",
      "message": "the plugin brings an identity of a type that belongs to another; to allow it, add the type to [plugins.ENTRY] identities",
      "plugin.name": "jackfield-fixture-impostor",
      "provider.id": "impostor",
      "setup.id": "[id]"
    }
    "#);
    assert_eq!(app.stored_names("impostor").await?, Vec::<String>::new(), "nothing is stored");

    app.host.reconfigure(&builder("[plugins.impostor]\nidentities = [\"slack\"]\n"))?;
    app.host.run(&["reload"], "")?;
    let dialog = posted(&app.owner, "impostor", &[("type", "slack")]).await?;
    assert!(dialog.success, "the operator allows it: {}", dialog.detail());
    Ok(())
}
