//! Plugins that misbehave while people use them: one flow ends, everything else goes on.

use anyhow::Result;
use jackfield_test_support::{http_client::HttpClient, stand_in_slack::StandInSlack};

use crate::app::{TestApp, bare};

const INTERNAL: &str = "an internal error occurred";
const SECRET: &str = "fixture-s3cret-value";

async fn app(options: &str) -> Result<(TestApp, HttpClient)> {
    let slack = StandInSlack::start().await?;
    let options = options.replace("SLACK", &slack.url("")).replace("PORT", &slack.port().to_string());
    let host = bare().plugin("misbehaving").plugin("junk").plugin("example").toml(&options).start()?;
    host.organization("acme")?;
    let app = TestApp { host, slack };
    let owner = app.log_in_as("owner").await?;
    Ok((app, owner))
}

async fn example_still_works(owner: &HttpClient) -> Result<()> {
    owner.start_setup("acme", "example").await?;
    assert!(owner.post("/extensions/example/setup/", &[("name", "fine")]).await?.dialog()?.success);
    Ok(())
}

/// Starts a set-up and posts one form; answers what the dialog says.
async fn posted(owner: &HttpClient, provider: &str, form: &[(&str, &str)]) -> Result<(bool, String)> {
    owner.start_setup("acme", provider).await?;
    let dialog = owner.post(&format!("/extensions/{provider}/setup/"), form).await?.dialog()?;
    Ok((dialog.success, dialog.detail().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_step_ends_the_flow_and_the_provider_works_again() -> Result<()> {
    let (app, owner) = app(&format!("[panics-in-step]\nsecret = \"{SECRET}\"")).await?;
    assert_eq!(posted(&owner, "panics-in-step", &[("name", "x")]).await?, (false, INTERNAL.to_owned()));
    assert_eq!(
        owner.visit("/extensions/panics-in-step/setup/").await?.status_and_location(),
        (302, "/"),
        "the pipeline is used up"
    );
    let log = app.host.log()?;
    assert!(log.contains("the plugin panicked") && log.contains("plugin.name"), "{log}");
    assert!(!log.contains(SECRET), "the panic's words lose the secret");
    assert!(posted(&owner, "panics-in-step", &[("calm", "1")]).await?.0, "the instance was replaced");
    example_still_works(&owner).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_building_stores_nothing() -> Result<()> {
    let (app, owner) = app("").await?;
    let step = owner.start_setup("acme", "panics-in-build").await?;
    let answer = if step.text.contains("postMessage") {
        step
    } else {
        owner.post("/extensions/panics-in-build/setup/", &[("name", "x")]).await?
    };
    assert_eq!(answer.dialog()?.detail(), INTERNAL);
    app.database().await?.assert_nothing("owner@example.com").await?;
    assert!(app.host.log()?.contains("the integration could not be built"));
    example_still_works(&owner).await
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_instead_of_an_answer_ends_the_flow() -> Result<()> {
    let (app, owner) = app("").await?;
    let answer = owner.start_setup("acme", "junk").await?;
    assert_eq!(answer.dialog()?.detail(), INTERNAL);
    assert!(app.host.log()?.contains("the plugin's answer cannot be used"));
    example_still_works(&owner).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_forbidden_address_is_not_sent() -> Result<()> {
    let (app, owner) = app("[forbidden]\nurl = \"SLACK/secret\"").await?;
    let answer = owner.start_setup("acme", "forbidden").await?;
    let answer = if answer.text.contains("postMessage") {
        answer
    } else {
        owner.post("/extensions/forbidden/setup/", &[("name", "x")]).await?
    };
    assert_eq!(answer.dialog()?.detail(), INTERNAL);
    assert!(app.slack.requests().is_empty());
    assert!(app.host.log()?.contains("private address"));
    example_still_works(&owner).await
}

/// Checklist 56, and the capabilities a plugin declares.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_reaches_the_hosts_it_declares_as_far_as_the_operator_grants_them_and_no_others() -> Result<()> {
    let allowed = "[http]\nallow-private = [\"127.0.0.1:PORT\"]\n";
    let cases = [
        ("[reaches-out]\nhosts = [\"127.0.0.1\"]", true),
        ("[reaches-out]\nhosts = [\"127.0.0.1:PORT\"]", true),
        ("[reaches-out]\nhosts = [\"*\"]", true),
        ("[reaches-out]\nhosts = [\"127.0.0.1:1\", \"api.example.com\"]", false),
        ("[reaches-out]\nhosts = []", false),
        ("[reaches-out]\nhosts = [\"*\"]\n[plugins.misbehaving]\nhosts = [\"api.example.com\"]", false),
    ];
    for (options, is_reached) in cases {
        let (app, owner) = app(&format!("{allowed}{options}")).await?;
        let (success, detail) = posted(&owner, "reaches-out", &[("name", &app.slack.url("/nowhere"))]).await?;
        assert_eq!((success, detail.as_str()), (is_reached, if is_reached { "" } else { INTERNAL }), "{options}");
        assert_eq!(app.slack.requests().len(), usize::from(is_reached), "{options}");
        assert_eq!(app.host.log()?.contains("not among the plugin's allowed hosts"), !is_reached, "{options}");
    }
    let said = bare().plugin("misbehaving").toml("[reaches-out]\nhosts = [\"https://x\"]").start_refused()?;
    assert!(said.contains("its provider `reaches-out` declares `https://x`, which is not a host"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn awaiting_something_that_is_not_the_host_is_an_error_that_says_so() -> Result<()> {
    let (app, owner) = app("").await?;
    let answer = owner.start_setup("acme", "stalls").await?;
    let answer = if answer.text.contains("postMessage") {
        answer
    } else {
        owner.post("/extensions/stalls/setup/", &[("name", "x")]).await?
    };
    assert_eq!(answer.dialog()?.detail(), INTERNAL);
    assert!(app.host.log()?.contains("awaits something that the host did not lend"));
    example_still_works(&owner).await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_end_are_ended() -> Result<()> {
    let (app, owner) = app("[http]\nallow-private = [\"127.0.0.1:PORT\"]\n[asks-too-much]\nurl = \"SLACK/\"").await?;
    let answer = owner.start_setup("acme", "asks-too-much").await?;
    let answer = if answer.text.contains("postMessage") {
        answer
    } else {
        owner.post("/extensions/asks-too-much/setup/", &[("name", "x")]).await?
    };
    assert_eq!(answer.dialog()?.detail(), INTERNAL);
    assert!(app.host.log()?.contains("more than 20 requests in one step"));
    example_still_works(&owner).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaky_plugins_secrets_reach_neither_log_nor_page() -> Result<()> {
    let (app, owner) = app(&format!("[leaky]\nsecret = \"{SECRET}\"")).await?;
    let answer = owner.start_setup("acme", "leaky").await?;
    let answer = if answer.text.contains("postMessage") {
        answer
    } else {
        owner.post("/extensions/leaky/setup/", &[("name", "x")]).await?
    };
    assert_eq!(answer.dialog()?.detail(), INTERNAL);
    let log = app.host.log()?;
    assert!(log.contains("[secret]") && !log.contains(SECRET), "{log}");
    assert!(!answer.text.contains(SECRET));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_in_order_and_keep_what_they_bound() -> Result<()> {
    let (_stage, owner) = app("").await?;
    let first = owner.start_setup("acme", "two-steps").await?;
    assert!(first.text.contains("Step 1 of 2"), "{}", first.text);
    let second = owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    assert!(second.text.contains("Step 2 of 2"), "{}", second.text);
    assert!(
        owner.visit("/extensions/two-steps/setup/").await?.text.contains("Step 2 of 2"),
        "a reload stays where it is"
    );
    let dialog = owner.post("/extensions/two-steps/setup/", &[("b", "two")]).await?.dialog()?;
    assert_eq!(dialog.data["externalId"], "one-two");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_as_data_is_drawn_by_the_host_and_keeps_values_after_an_error() -> Result<()> {
    let (_stage, owner) = app("").await?;
    let form = owner.start_setup("acme", "host-form").await?;
    for part in ["type=\"text\"", "type=\"password\"", "<select", "type=\"checkbox\"", "type=\"number\""] {
        assert!(form.text.contains(part), "{part}: {}", form.text);
    }
    let stale = [("name", "stale"), ("jackfield-step", "7")];
    let shown = owner.post("/extensions/host-form/setup/", &stale).await?;
    assert!(
        shown.text.contains("<select") && !shown.text.contains("aria-invalid"),
        "a form of another step is not its answer"
    );
    let again = owner.post("/extensions/host-form/setup/", &[("name", "")]).await?;
    assert!(again.text.contains("aria-invalid=\"true\""), "{}", again.text);
    let dialog =
        owner.post("/extensions/host-form/setup/", &[("name", "drawn"), ("jackfield-step", "0")]).await?.dialog()?;
    assert_eq!(dialog.data["externalId"], "drawn");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_changed_by_a_plugin_upgrade_end_set_ups_that_are_under_way() -> Result<()> {
    let (app, owner) = app("").await?;
    owner.start_setup("acme", "two-steps").await?;
    owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    let host = app.host.restart(bare().plugin("example").plugin("changed_steps"))?;
    let app = TestApp { host, ..app };
    let answer = owner.post("/extensions/two-steps/setup/", &[("b", "two")]).await?;
    assert_eq!(answer.status_and_location(), (302, "/"));
    assert!(answer.header("set-cookie").starts_with("jackfield-notice=provider-changed."), "the person is told why");
    assert!(app.host.log()?.contains("integrations.setup.invalid-signature"));
    app.database().await?.assert_nothing("owner@example.com").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_whose_plugin_is_gone_stays_visible_as_orphaned() -> Result<()> {
    let (app, owner) = app("").await?;
    owner.start_setup("acme", "two-steps").await?;
    owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    assert!(owner.post("/extensions/two-steps/setup/", &[("b", "two")]).await?.dialog()?.success);
    let host = app.host.restart(bare().plugin("example"))?;
    let app = TestApp { host, ..app };
    assert_eq!(owner.visit("/extensions/two-steps/setup/").await?.status, 404);
    let page = owner.visit("/organizations/acme/integrations/").await?;
    assert!(page.text.contains("one-two") && page.text.contains("orphaned"), "{}", page.text);
    assert_eq!(app.list_integrations(&owner).await?.len(), 1);
    Ok(())
}
