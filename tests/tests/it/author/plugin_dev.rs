//! `jackfield plugin dev` as an author uses it: from a crate to a setup, to the next version, to a
//! clean end.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use insta::assert_snapshot;
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    processes::Process,
};
use reqwest::Method;

use super::{
    dev_server::{Crate, Dev, PATIENCE},
    plugin_sources::{ANSWERS, INSTALLED, ISSUED},
};
use crate::app::{bare, redacted, redacted_with};

/// A body as a line on the terminal, which shows it whole.
fn body(line: &str) -> String {
    redacted_with(line, &[("(code|code_verifier|redirect_uri)=[^&]+", "$1=[random]")])
}

/// Follows the host's redirect to the consent page, and comes back with a decision.
async fn decide(person: &HttpClient, step: &HttpResponse, decision: &str) -> Result<HttpResponse> {
    let sent = step.redirect()?;
    let page = person.visit(sent.as_str()).await?;
    ensure!(page.text.contains("Allow access?"), "{}", page.text);
    let given =
        |name: &str| sent.query_pairs().find(|(key, _)| key == name).map_or_else(String::new, |(_, v)| v.into());
    let (url, back) = (given("url"), given("back"));
    ensure!(url.starts_with("https://login.acme.example/") && url.contains("/authorize?client_id=dev&"), "{url}");
    let form = [("url", url.as_str()), ("back", &back), ("decision", decision)];
    let response = person.post(sent.join("/visit")?.as_str(), &form).await?;
    person.visit(response.redirect()?.as_str()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_logs_in_by_the_link_sets_up_edits_and_stops() -> Result<()> {
    let acme = Crate::plugin("dev-acme")?;
    let mut dev = Dev::start(&acme, &["--show-bodies"])?;
    dev.until("made up  client-id = \"dev\"; write yours under [options.acme] in dev.toml")?;
    dev.until("provider Acme the First (acme), may reach: api.acme.example, login.acme.example")?;
    let link = dev.link()?;
    dev.until("watching")?;

    // The link logs in only once.
    let host = link.split_once("/auth/").context("a path")?.0.to_owned();
    let ada = HttpClient::new(&host);
    assert_eq!(ada.visit(&link).await?.status_and_location(), (302, "/organizations/dev/integrations/"));
    let page = "/organizations/dev/integrations/";
    assert!(ada.visit(page).await?.text.contains("Acme the First"));
    let late = HttpClient::new(&host);
    assert_eq!(late.visit(&link).await?.status, 404);
    assert_eq!(late.visit(page).await?.status, 302, "it logs nobody in");
    assert_eq!(late.visit(&dev.link()?).await?.status, 302, "the next one is good");
    assert_eq!(late.visit("/auth/dev/x/").await?.status, 404);

    // A user who denies, and one who allows.
    let step = ada.start_setup("dev", "acme").await?;
    assert_eq!(decide(&ada, &step, "deny").await?.dialog()?.detail(), "access_denied");
    dev.until("step     acme oauth2 callback → failed")?;
    let step = ada.start_setup("dev", "acme").await?;
    let dialog = decide(&ada, &step, "allow").await?.dialog()?;
    assert_eq!((dialog.success, &dialog.data["externalId"]), (true, &"A1".into()));
    dev.until("request  POST https://login.acme.example/token → 200")?;
    assert_snapshot!(body(&dev.until("> grant_type=")?), @"         > grant_type=authorization_code&code=[random]&redirect_uri=[random]&code_verifier=[random]&client_id=dev&client_secret=dev");
    assert_snapshot!(body(&dev.until("< ")?), @r#"         < {"access_token":"t0ken","expires_in":3600,"refresh_token":"dev-refresh-[id]","scope":"read","token_type":"Bearer"}"#);
    dev.until("step     acme oauth2 callback → next, ")?;
    let request = dev.until("request  GET https://api.acme.example/me?full=1 → 200, ")?;
    assert_snapshot!(redacted_with(&request, &[(r"[\d.]+ ms", "[duration]")]), @"request  GET https://api.acme.example/me?full=1 → 200, 24 bytes, [duration]");
    dev.until("plugin   info: it is \"Ada\"")?;
    dev.until("step     acme build integration → integration, ")?;

    // A saved change is used if it builds.
    acme.edit("Acme the First", "Acme the Second")?;
    dev.until("reloaded")?;
    assert!(ada.visit(page).await?.text.contains("Acme the Second"));
    acme.edit("\"Acme the Second\"", "Acme the Third")?;
    dev.until("error: expected one of")?;
    dev.until("refused  it does not build")?;
    dev.until("kept")?;
    assert!(ada.visit(page).await?.text.contains("Acme the Second"));
    acme.edit("Acme the Third", "\"Acme the Third\"")?;
    dev.until("reloaded")?;
    assert!(ada.visit(page).await?.text.contains("Acme the Third"));

    // dev.toml is checked, and its changes are used as well.
    acme.write("dev.toml", "[options.acme]\ncleint-id = \"dev\"\n")?;
    dev.until("refused  dev.toml: options.acme.cleint-id: unknown option")?;
    dev.until("did you mean `client-id`?")?;
    dev.until("kept")?;
    acme.write("dev.toml", "[options.acme]\nclient-id = \"dev\"\nclient-secret = \"mine\"\n")?;
    dev.until("reloaded")?;
    let step = ada.start_setup("dev", "acme").await?;
    decide(&ada, &step, "allow").await?;
    assert_snapshot!(body(&dev.until("> grant_type=")?), @"         > grant_type=authorization_code&code=[random]&redirect_uri=[random]&code_verifier=[random]&client_id=dev&client_secret=mine");
    dev.until("request  GET https://api.acme.example/me?full=1 → 404")?;
    dev.until("nothing is scripted for this; write into dev.toml")?;
    dev.until("[answers.\"https://api.acme.example/me\"]")?;
    dev.stop("INT", &acme)?;
    assert!(HttpClient::new(&host).visit("/healthz").await.is_err(), "nothing listens any more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_service_that_a_form_leads_to_is_played() -> Result<()> {
    let acme = Crate::plugin("dev-installed")?;
    acme.write("src/lib.rs", INSTALLED)?;
    let mut dev = Dev::start(&acme, &[])?;
    let link = dev.link()?;
    dev.until("watching")?;
    let ada = HttpClient::new(link.split_once("/auth/").context("a path")?.0);
    ada.visit(&link).await?;

    let form = ada.start_setup("dev", "acme").await?;
    let sent = ada.post("/extensions/acme/setup/", &[("go", "1")]).await?.redirect()?;
    let stand_in = sent.origin().ascii_serialization();
    let policy = form.header("content-security-policy");
    assert!(
        policy.contains(&format!("form-action 'self' {stand_in}")),
        "the browser may submit the form there: {policy}"
    );
    let page = ada.visit(sent.as_str()).await?;
    assert!(page.text.contains("https://acme.example/apps/install") && page.text.contains("Query"), "{}", page.text);
    let given: std::collections::HashMap<String, String> = sent.query_pairs().into_owned().collect();
    let form = [("url", given["url"].as_str()), ("back", &given["back"]), ("query", "installation=I1")];
    let back = ada.post(sent.join("/visit")?.as_str(), &form).await?.redirect()?;
    let dialog = ada.visit(back.as_str()).await?.dialog()?;
    assert_eq!((dialog.success, &dialog.data["externalId"]), (true, &"I1".into()));

    // It redirects to nowhere else.
    let form = [("url", "https://acme.example/"), ("back", "https://evil.example/"), ("query", "")];
    assert_eq!(ada.post(sent.join("/visit")?.as_str(), &form).await?.status, 400);
    dev.stop("INT", &acme)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_is_played_whole_and_a_program_calls_the_api() -> Result<()> {
    let acme = Crate::plugin("dev-issued")?;
    acme.write("src/lib.rs", ISSUED)?;
    acme.write("dev.toml", &format!("{ANSWERS}[id-token]\nsub = \"U7\"\n[userinfo]\nname = \"Grace\"\n"))?;
    let mut dev = Dev::start(&acme, &[])?;
    let link = dev.link()?;
    let curl = dev.until("curl -H 'Authorization: Bearer ")?;
    dev.until("watching")?;
    let ada = HttpClient::new(link.split_once("/auth/").context("a path")?.0);
    ada.visit(&link).await?;

    let step = ada.start_setup("dev", "acme").await?;
    dev.until("request  GET https://login.acme.example/.well-known/oauth-authorization-server/t1 → 200")?;
    assert_eq!(decide(&ada, &step, "deny").await?.dialog()?.detail(), "access_denied", "a response of its own issuer");
    let step = ada.start_setup("dev", "acme").await?;
    let dialog = decide(&ada, &step, "allow").await?.dialog()?;
    let name = &dialog.data["name"];
    assert_eq!(
        (&dialog.data["externalId"], name),
        (&"U7".into(), &"Ada Lovelace and Grace".into()),
        "{:?}",
        dialog.data
    );
    for asked in ["POST https://login.acme.example/t1/token", "GET https://login.acme.example/t1/jwks"] {
        dev.until(&format!("request  {asked} → 200"))?;
    }
    dev.until("request  GET https://login.acme.example/t1/userinfo → 200")?;

    // The URL of the line on the terminal, with a path behind it.
    let token = curl.split("Bearer ").nth(1).and_then(|rest| rest.split_once("' ")).context("a token and a URL")?;
    let asked = ada.request(Method::GET, &format!("{}me", token.1)).bearer_auth(token.0);
    assert_eq!(ada.send(asked).await?.json()?["id"], "A1");
    let removed = ada.request(Method::DELETE, "/api/0/organizations/dev/integrations/1/");
    assert_eq!(ada.send(removed).await?.status, 204);
    dev.until("request  POST https://login.acme.example/t1/revoke → 200")?;
    dev.stop("INT", &acme)
}

#[test]
fn a_first_version_that_does_not_build_is_waited_for() -> Result<()> {
    let acme = Crate::plugin("dev-unfinished")?;
    acme.edit("export_providers!(Acme);", "export_providers!(Acme;")?;
    let mut dev = Dev::start(&acme, &[])?;
    dev.until("refused  it does not build")?;
    dev.until("waiting")?;
    acme.edit("export_providers!(Acme;", "export_providers!(Acme);")?;
    dev.until("watching")?;
    dev.stop("TERM", &acme)
}

#[test]
fn a_build_under_way_ends_with_it() -> Result<()> {
    let slow = Crate::new("dev-slow", "")?;
    slow.write("src/lib.rs", "")?;
    slow.write("build.rs", "fn main() { loop { std::thread::park(); } }")?;
    let dev = Dev::start(&slow, &[])?;
    let is_building = |process: &Process| process.command_line.iter().any(|word| word.contains("build-script-build"));
    let end = Instant::now() + PATIENCE;
    while !dev.descendants()?.iter().any(|process| is_building(process) && process.command_line.len() == 1) {
        ensure!(Instant::now() < end, "the build script never runs");
        thread::park_timeout(Duration::from_millis(50));
    }
    dev.stop("HUP", &slow)
}

/// The error, without what cargo prints while it builds.
fn error_of(said: &str) -> &str {
    &said[said.find("error: ").unwrap_or_default()..]
}

#[test]
fn what_cannot_be_a_plugin_is_told_with_help() -> Result<()> {
    let nowhere = Crate::new("dev-nowhere", "")?;
    fs::remove_file(nowhere.0.path().join("Cargo.toml"))?;
    let said = nowhere.refused(|_| {})?;
    assert_snapshot!(redacted(error_of(&said)), @"
    error: [folder] is not inside a crate: there is no Cargo.toml here or above
      help: run this in the folder of your plugin, or make one with `jackfield plugin new`
    ");

    let rlib = Crate::new("dev-rlib", "")?;
    rlib.write("src/lib.rs", "")?;
    let said = rlib.refused(|_| {})?;
    assert_snapshot!(redacted(error_of(&said)), @r#"
    error: the crate `dev-rlib` makes no shared library
      help: add to its Cargo.toml

        [lib]
        crate-type = ["cdylib", "rlib"]
    "#);
    let said = rlib.refused(|command| {
        command.env("PATH", "/nowhere").env_remove("CARGO");
    })?;
    assert_snapshot!(redacted(error_of(&said)), @"
    error: cargo cannot be run: No such file or directory (os error 2)
      help: install Rust from https://rustup.rs, or put cargo on your PATH
    ");

    let other = Crate::new("dev-other", "[lib]\ncrate-type = [\"cdylib\"]\n")?;
    other.write("src/lib.rs", "")?;
    let said = other.refused(|_| {})?;
    assert_snapshot!(redacted(error_of(&said)), @"
    error: [target]/plugin-dev/debug/libdev_other.so: no jackfield plugin inside: the symbol JACKFIELD_PLUGIN_MANIFEST is missing
      help: check that it is a plugin: its source ends in `export_providers!(…)`
    ");
    Ok(())
}

#[tokio::test]
async fn no_other_host_has_the_link() -> Result<()> {
    let host = bare().start()?;
    for path in ["/auth/dev/x/", "/auth/dev/", "/visit"] {
        assert_eq!(HttpClient::new(&host.url).visit(path).await?.status, 404, "{path}");
    }
    Ok(())
}
