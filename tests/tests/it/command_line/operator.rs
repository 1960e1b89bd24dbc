//! What an operator does and is told.

use anyhow::Result;
use jackfield_test_support::http_client::HttpClient;

use crate::app::bare;

/// Standard error of a start that is refused, without what differs from run to run.
fn refused(builder: jackfield_test_support::host::HostBuilder) -> Result<String> {
    builder.log("error").start_error()
}

#[test]
fn every_mistake_of_the_configuration_is_told_at_once() -> Result<()> {
    let said = refused(bare().listed("nowhere").toml("[http]\ntimeout = \"long\"\nallow = []\n[slak]\nclient-id = 3"))?;
    assert!(said.contains("http.timeout: wrong type: found text, wanted a whole number"), "{said}");
    assert!(said.contains("http.allow: unknown key"), "{said}");
    assert!(said.contains("no plugin named `nowhere`"), "what is wrong with plugins as well: {said}");
    Ok(())
}

#[test]
fn a_plugin_that_is_not_there_stops_the_start_and_says_where_it_was_looked_for() -> Result<()> {
    let said = refused(bare().listed("nowhere"))?;
    insta::assert_snapshot!(said, @r"
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
    insta::assert_snapshot!(said, @r"
    error: 2 mistakes in the configuration
    FOLDER/jackfield.toml:11: slack.client-idd: unknown option
      help: did you mean `client-id`?
    FOLDER/jackfield.toml:12: slack.api: unknown variant, expected `v1` or `v2`
      help: correct the value, see the documentation of `slack`
    ");
    Ok(())
}

#[test]
fn a_table_that_no_provider_claims_is_a_mistake_with_a_hint() -> Result<()> {
    let said = refused(bare().plugin("example").plugin("slack").toml("[slak]\nclient-id = \"x\""))?;
    insta::assert_snapshot!(said, @r"
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
    assert!(
        checked.contains("no mistakes")
            && checked
                .contains("slack is not offered to people until it is configured; missing: client-id, client-secret"),
        "{checked}"
    );
    assert!(!good.folder().join("data").exists(), "neither key nor database is made");
    let bad = bare().listed("nowhere").toml("[http]\ntimeout = 0").folder_only();
    let checked = bad.run(&["config", "check"])?;
    assert!(!checked.status.success());
    assert!(said(checked).contains("http.timeout: out of range"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_tells_that_it_listens_is_ready_and_stops_cleanly() -> Result<()> {
    let mut host = bare().plugin("example").start()?;
    let person = HttpClient::new(&host.url);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(person.visit(path).await?.status, 200, "{path}");
    }
    assert_eq!(person.visit("/nothing").await?.status, 404);
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
    let cases: [(&[&str], &str, &str); 7] = [
        (&["user", "create", "ada@example.com", "--password-stdin"], "long enough", "there is a user"),
        (&["user", "create", "ada", "--password-stdin"], "long enough", "is not an e-mail address"),
        (&["user", "create", "b@example.com", "--password-stdin"], "", "the password is empty"),
        (&["org", "create", "Acme", "--name", "x"], "", "is not a slug"),
        (&["org", "create", "acme", "--name", "x"], "", "there is an organization"),
        (&["member", "add", "acme", "ada@example.com", "--role", "boss"], "", "one of member, admin, manager, owner"),
        (&["token", "create", "none", "--name", "x", "--scope", "org:read"], "", "there is no organization"),
    ];
    for (arguments, input, said) in cases {
        let error = host.run(arguments, input).expect_err("it is wrong").to_string();
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    Ok(())
}
