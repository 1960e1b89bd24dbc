//! What an operator runs: a start with a wrong configuration, `config check`, a stop, wrong
//! commands.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::http_client::HttpClient;

use crate::app::{bare, redacted};

/// Standard error of a refused start.
fn refused(builder: jackfield_test_support::host::HostBuilder) -> Result<String> {
    builder.log("error").start_error()
}

#[test]
fn every_mistake_of_the_configuration_is_told_at_once() -> Result<()> {
    let said = refused(bare().listed("nowhere").toml("[http]\ntimeout = \"long\"\nallow = []\n[slak]\nclient-id = 3"))?;
    assert_snapshot!(redacted(&said), @"
    error: 3 mistakes in the configuration
    FOLDER/jackfield.toml:1: default-integrations: no plugin named `nowhere`: looked for plugins/libnowhere.so, plugins/nowhere.so
      help: put the library there, add its folder to plugins.path, or list its path instead
    FOLDER/jackfield.toml:11: http.timeout: wrong type: found text, wanted a whole number
      help: write a whole number
    FOLDER/jackfield.toml:12: http.allow: unknown key
      help: remove it; known here: allow-private, max-response-bytes, stand-in, timeout
    ");
    Ok(())
}

#[test]
fn a_plugin_that_is_not_there_stops_the_start_and_says_where_it_was_looked_for() -> Result<()> {
    let said = refused(bare().listed("nowhere"))?;
    assert_snapshot!(said, @r"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: no plugin named `nowhere`: looked for plugins/libnowhere.so, plugins/nowhere.so
      help: put the library there, add its folder to plugins.path, or list its path instead
    ");
    Ok(())
}

#[test]
fn options_that_do_not_fit_the_plugin_are_told_with_line_and_key_and_without_their_value() -> Result<()> {
    let options = "[slack]\nclient-idd = \"x\"\napi = \"hunter2\"\n";
    let said = refused(bare().plugin("slack").toml(options))?;
    assert_snapshot!(said, @r#"
    error: 2 mistakes in the configuration
    FOLDER/jackfield.toml:11: slack.client-idd: unknown option
      help: did you mean `client-id`?
    FOLDER/jackfield.toml:12: slack.api: not a known word: wanted `v1` or `v2`
      help: write "v1" or "v2"
    "#);
    Ok(())
}

#[test]
fn a_table_that_no_provider_claims_is_a_mistake_with_a_hint() -> Result<()> {
    let said = refused(bare().plugin("example").plugin("slack").toml("[slak]\nclient-id = \"x\""))?;
    assert_snapshot!(said, @r"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:10: slak: no loaded plugin has a provider with this id
      help: did you mean [slack]?
    ");
    Ok(())
}

#[test]
fn options_of_a_plugin_that_is_there_but_not_listed_are_no_mistake() -> Result<()> {
    bare().plugin("example").on_disk("slack").toml("[slack]\nclient-id = \"x\"").start().map(drop)
}

#[test]
fn config_check_says_the_same_without_starting_and_leaves_nothing_behind() -> Result<()> {
    let said =
        |output: std::process::Output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let good = bare().plugin("example").plugin("slack").folder_only();
    let checked = good.run(&["config", "check"])?;
    assert!(checked.status.success());
    let checked = said(checked);
    assert_snapshot!(redacted(&checked), @"
    [folder]/jackfield.toml: no mistakes
    note: a backup is data/jackfield.db after a clean stop, and apart from it the secret key
    note: slack is not offered to people until it is configured; missing: client-id, client-secret
    ");
    assert!(!good.folder().join("data").exists(), "it makes neither key nor database");
    let bad = bare().listed("nowhere").toml("[http]\ntimeout = 0").folder_only();
    let checked = bad.run(&["config", "check"])?;
    assert!(!checked.status.success());
    let checked = said(checked).replace(&bad.folder().display().to_string(), "FOLDER");
    assert_snapshot!(checked, @"
    error: 2 mistakes in the configuration
    FOLDER/jackfield.toml:1: default-integrations: no plugin named `nowhere`: looked for plugins/libnowhere.so, plugins/nowhere.so
      help: put the library there, add its folder to plugins.path, or list its path instead
    FOLDER/jackfield.toml:11: http.timeout: out of range
      help: write a number from 1 to 300
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_tells_that_it_listens_is_ready_and_stops_cleanly() -> Result<()> {
    let mut host = bare().plugin("example").start()?;
    let user = HttpClient::new(&host.url);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(user.visit(path).await?.status, 200, "{path}");
    }
    assert_eq!(user.visit("/nothing").await?.status, 404);
    host.signal("TERM")?;
    assert_eq!(host.exit_code()?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_under_way() -> Result<()> {
    use jackfield_test_support::stand_in_slack::TokenAnswer;
    let mut app = crate::app::TestApp::start_with("v2", None, |host| host).await?;
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Slow);
    let owner = app.log_in_as("owner").await?;
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    let visit = tokio::spawn({
        let owner = owner.clone();
        async move { owner.visit(&back).await }
    });
    app.slack.token_requested().await;
    app.host.signal("TERM")?;
    while !app.host.log()?.contains("stopping: no new connections") {
        tokio::task::yield_now().await;
    }
    app.slack.open_gate();
    assert!(visit.await??.dialog()?.success);
    assert_eq!(app.host.exit_code()?, Some(0));
    Ok(())
}

#[test]
fn the_command_line_says_what_is_wrong() -> Result<()> {
    let host = bare().start()?;
    host.user("ada@example.com", "long enough")?;
    host.organization("acme")?;
    let cases: [(&[&str], &str); 7] = [
        (&["user", "create", "ada@example.com", "--password-stdin"], "long enough"),
        (&["user", "create", "ada", "--password-stdin"], "long enough"),
        (&["user", "create", "b@example.com", "--password-stdin"], ""),
        (&["org", "create", "Acme", "--name", "x"], ""),
        (&["org", "create", "acme", "--name", "x"], ""),
        (&["member", "add", "acme", "ada@example.com", "--role", "boss"], ""),
        (&["token", "create", "none", "--name", "x", "--scope", "org:read"], ""),
    ];
    let refusals = cases.map(|(arguments, input)| host.run(arguments, input).expect_err("it is wrong").to_string());
    assert_snapshot!(refusals.join("\n"), @r#"
    ["user", "create", "ada@example.com", "--password-stdin"]: error: there is a user with the e-mail address ada@example.com already

    ["user", "create", "ada", "--password-stdin"]: error: `ada` is not an e-mail address
      help: write it like ada@example.com

    ["user", "create", "b@example.com", "--password-stdin"]: error: the password is empty
      help: write it to standard input

    ["org", "create", "Acme", "--name", "x"]: error: `Acme` is not a slug
      help: use 1 to 50 of a-z, 0-9, - and _, beginning with a letter or digit

    ["org", "create", "acme", "--name", "x"]: error: there is an organization with the slug acme already

    ["member", "add", "acme", "ada@example.com", "--role", "boss"]: error: invalid value 'boss' for '--role <ROLE>': it must be one of member, admin, manager, owner

    For more information, try '--help'.

    ["token", "create", "none", "--name", "x", "--scope", "org:read"]: error: there is no organization with the slug none
      help: `jackfield org list` shows the organizations
    "#);
    Ok(())
}
