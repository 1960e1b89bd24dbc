//! `cargo demo`, from what it prints to a finished setup.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::http_client::HttpClient;
use reqwest::Method;

/// A demo under way, killed when a test fails before its end.
struct Demo {
    child: Child,
    told: String,
}

impl Demo {
    fn start() -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo")).stdout(Stdio::piped()).spawn()?;
        let out = BufReader::new(child.stdout.take().context("stdout is piped")?);
        let mut demo = Self { child, told: String::new() };
        for line in out.lines() {
            demo.told.push_str(&line?);
            demo.told.push('\n');
            if demo.told.contains("Ctrl-C stops it all") {
                return Ok(demo);
            }
        }
        anyhow::bail!("the demo ended by itself after saying: {}", demo.told)
    }

    /// The word after a label.
    fn after(&self, label: &str) -> Result<&str> {
        let rest = self.told.split_once(label).with_context(|| format!("no {label:?} in: {}", self.told))?.1;
        Ok(rest.lines().next().unwrap_or_default().trim())
    }

    fn end(mut self, signal: &str) -> Result<Option<i32>> {
        let status = Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill -{signal} failed");
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that has been waited for is not killed again: the standard library knows.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_logs_in_as_the_demo_says_and_adds_slack_and_example() -> Result<()> {
    let demo = Demo::start()?;
    let ada = HttpClient::logged_in(demo.after("Open ")?, demo.after("Log in ")?, demo.after("Password ")?).await?;
    let page = ada.visit("/").await?;
    let page = ada.visit(page.status_and_location().1).await?;
    assert!(page.text.contains("Slack") && page.text.contains("Example"), "{}", page.text);

    let step = ada.start_setup("analytical-engines", "slack").await?;
    let consent = ada.visit(step.redirect()?.as_str()).await?;
    let asked = step.redirect()?;
    let given =
        |name: &str| asked.query_pairs().find(|(key, _)| key == name).map_or_else(String::new, |(_, v)| v.into());
    assert!(consent.text.contains("value=\"allow\""), "a person is asked: {}", consent.text);
    let form = [
        ("api", "v2".to_owned()),
        ("client_id", given("client_id")),
        ("redirect_uri", given("redirect_uri")),
        ("scope", given("scope")),
        ("state", given("state")),
        ("team", "T0DIFFERENCE".to_owned()),
        ("decision", "allow".to_owned()),
    ];
    let allow = ada.request(Method::POST, asked.join("/consent")?.as_str()).form(&form);
    let back = ada.send(allow).await?.redirect()?;
    assert!(ada.visit(back.as_str()).await?.dialog()?.success);
    ada.start_setup("analytical-engines", "example").await?;
    assert!(ada.post("/extensions/example/setup/", &[("name", "Ada's machine")]).await?.dialog()?.success);
    let list = ada.visit("/api/0/organizations/analytical-engines/integrations/").await?.json()?;
    let names: Vec<_> = list.as_array().into_iter().flatten().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["Ada's machine", "Difference Engines"]);

    let (token, url) = demo.after("curl -H 'Authorization: Bearer ")?.split_once("' ").context("a token and a URL")?;
    let machine = HttpClient::new(demo.after("Open ")?);
    let path = url.strip_prefix(demo.after("Open ")?).context("of the demo")?;
    let used = machine.send(machine.request(Method::GET, path).bearer_auth(token)).await?;
    assert_eq!((used.status, &used.json()?["ok"]), (200, &true.into()), "{}", used.text);

    // What the example product does first.
    let port = demo.after("PORT=")?.trim_end_matches([' ', '\\']);
    let (token, server) = demo.after("JACKFIELD_TOKEN=")?.split_once(" node ").context("a token and a program")?;
    assert!(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(server).exists(), "{server}");
    let body = serde_json::json!({"origin": format!("http://localhost:{port}")});
    let sessions = "/api/0/organizations/analytical-engines/connect-sessions/";
    let made = machine.send(machine.request(Method::POST, sessions).bearer_auth(token).json(&body)).await?;
    assert_eq!(made.status, 201, "{}", made.text);

    let folder = PathBuf::from(demo.after("log are in ")?);
    assert!(folder.join("data/jackfield.db").exists(), "the database is embedded");
    let url = demo.after("Open ")?.to_owned();
    assert_eq!(demo.end("INT")?, Some(0));
    assert!(!folder.exists(), "everything is removed");
    let refused = HttpClient::new(&url).visit("/healthz").await;
    assert!(refused.is_err(), "nothing listens any more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_stops_cleanly_when_it_is_terminated() -> Result<()> {
    let demo = Demo::start()?;
    let (folder, url) = (PathBuf::from(demo.after("log are in ")?), demo.after("Open ")?.to_owned());
    assert_eq!(demo.end("TERM")?, Some(0));
    assert!(!folder.exists());
    assert!(HttpClient::new(&url).visit("/healthz").await.is_err());
    Ok(())
}

#[test]
fn the_program_of_the_demo_is_the_whole_host() -> Result<()> {
    let help = Command::new(env!("CARGO_BIN_EXE_demo")).args(["host", "--help"]).output()?;
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("serve"));
    Ok(())
}
