//! The audit log from outside: every action is an entry with actor, organization, target, build and
//! result, and without secrets.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    postgres::databases,
    stand_in::{Endpoint::Refresh, Fault, Rotation},
    stand_in_slack::TokenAnswer,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{ApiClient, PASSWORD, TestApp, add_example, bare, program, redacted, redacted_with, slack_options};

const TEAM: &str = "T0STANDIN";
/// A value in an organization's configuration of an integration.
const VALUE: &str = "value-of-a-configuration";
/// The value of an option in a refused configuration.
const SLIP: &str = "hunter2-by-mistake";

/// The whole audit log, the oldest entry first, as `jackfield audit list --json` prints it.
pub(crate) fn rows(host: &Host) -> Result<Vec<Value>> {
    let printed = host.run(&["audit", "list", "--json"], "")?;
    printed.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// A host on which every audited action was done once.
struct AuditApp {
    base: TestApp,
    integration: String,
    secrets: Vec<String>,
}

impl Deref for AuditApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

impl AuditApp {
    async fn with_everything_done() -> Result<Self> {
        let app = TestApp::start_with("v2", None, |host| host).await?;
        app.slack.behave(|behaviour| behaviour.rotation = Rotation::ReuseDetected);
        let owner = app.log_in_as("owner").await?;
        app.host.organization("other")?;
        app.host.member("other", "owner@example.com", "owner")?;
        let token = app.host.token("acme", &["integrations:token", "integrations:proxy", "org:integrations"])?;
        let client = ApiClient::with_token(&app.host, &token);
        let mut app =
            Self { secrets: vec![PASSWORD.to_owned(), token.trim().to_owned()], integration: String::new(), base: app };
        app.install(&owner, &client).await?;
        app.reload()?;
        app.leave(&owner, &client).await?;
        Ok(app)
    }

    async fn install(&mut self, owner: &HttpClient, client: &ApiClient) -> Result<()> {
        let app = &self.base;
        app.slack.behave(|behaviour| behaviour.token = TokenAnswer::NotJson);
        ensure!(!owner.install("acme", "slack").await?.dialog()?.success);
        app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Token);
        let installed = owner.install("acme", "slack").await?.dialog()?;
        self.integration = installed.data["id"].as_str().context("an id")?.to_owned();
        self.remember_tokens().await?;
        // A refresh token that the provider refuses.
        self.database().await?.let_live(TEAM, "bot", time::Duration::seconds(-1)).await?;
        self.slack.faults().next(Refresh, [Some(Fault::Refused { error: "invalid_grant".to_owned() })]);
        let path = format!("/api/0/organizations/acme/integrations/{}/token/", self.integration);
        ensure!(client.get(&path).await?.status >= 400);
        ensure!(owner.install("acme", "slack").await?.dialog()?.success);
        ensure!(owner.install("other", "slack").await?.dialog()?.success);
        for _ in 0..3 {
            ensure!(client.get(&path).await?.status == 200);
        }
        let example = add_example(owner, "acme", "one").await?;
        for name in [VALUE, VALUE] {
            let path = format!("/organizations/acme/integrations/{example}/");
            ensure!(owner.post(&path, &[("name", name)]).await?.status == 302);
        }
        self.secrets.push(VALUE.to_owned());
        let method = path.replace("/token/", "/proxy/auth.test");
        ensure!(client.send(client.request(Method::POST, &method)).await?.status == 200);
        self.remember_tokens().await
    }

    async fn remember_tokens(&mut self) -> Result<()> {
        for (_, tokens) in self.database().await?.grants(TEAM).await? {
            self.secrets.push(tokens.access_token);
            self.secrets.extend(tokens.refresh_token);
        }
        Ok(())
    }

    fn reload(&mut self) -> Result<()> {
        let (host, options) = (&self.base.host, slack_options(&self.base.slack, "v2"));
        let with = |options: &str| bare().plugin("example").plugin("slack").toml(options);
        let wrong = with(&format!("{options}nonsense = {SLIP:?}\n")).listed("no-such-plugin");
        host.reconfigure(&wrong)?;
        ensure!(!host.output(&["reload"])?.0);
        host.reconfigure(&with(&options.replace("timeout = 2", "timeout = 3")).plugin("misbehaving"))?;
        host.run(&["reload"], "")?;
        host.run(&["key", "rotate"], "")?;
        let key = std::fs::read_to_string(host.folder().join("data/secret.key"))?;
        self.secrets.extend([SLIP.to_owned(), self.slack.client().secret.clone(), key.trim().to_owned()]);
        Ok(())
    }

    async fn leave(&self, owner: &HttpClient, client: &ApiClient) -> Result<()> {
        let account = owner.visit("/account/").await?.text;
        let (_, rest) = account.split_once("/account/identities/").context("an identity")?;
        let (identity, _) = rest.split_once('/').context("an id")?;
        owner.post(&format!("/account/identities/{identity}/unlink/"), &[]).await?;
        let path = format!("/api/0/organizations/acme/integrations/{}/", self.integration);
        let elsewhere = path.replace("acme", "other");
        ensure!(owner.send(owner.request(Method::DELETE, &elsewhere)).await?.status == 204);
        ensure!(client.send(client.request(Method::DELETE, &path)).await?.status == 204);
        self.database().await?.settled().await.map(drop)
    }
}

/// An entry's name, action, kind and name of the actor, organization, provider, whether it has the
/// account and the build, and its result.
type Entry = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
    bool,
    bool,
    &'static str,
);

const OWNER: Option<&str> = Some("owner@example.com");
const ACME: Option<&str> = Some("acme");
const OTHER: Option<&str> = Some("other");
const SLACK: Option<&str> = Some("slack");
const EXAMPLE: Option<&str> = Some("example");

const ENTRIES: [Entry; 26] = [
    ("a host starts with a configuration", "configuration-change", "host", None, None, None, false, false, "ok"),
    ("a plugin is loaded at the start", "plugin-load", "host", None, None, SLACK, false, true, "ok"),
    ("an organization is made", "organization-creation", "operator", None, ACME, None, false, false, "ok"),
    ("a user is made", "user-creation", "operator", None, None, None, false, false, "ok"),
    ("a member is added", "member-change", "operator", None, ACME, None, false, false, "ok"),
    ("an API token is made", "token-creation", "operator", None, ACME, None, false, false, "ok"),
    ("a person logs in", "log-in", "user", OWNER, None, None, false, false, "ok"),
    ("a setup fails", "install", "user", OWNER, ACME, SLACK, false, true, "failed"),
    ("an integration is installed", "install", "user", OWNER, ACME, SLACK, true, true, "ok"),
    ("an identity is proved", "identity-link", "user", OWNER, ACME, SLACK, true, true, "ok"),
    ("a refresh fails", "refresh-failure", "host", None, ACME, SLACK, true, true, "failed"),
    ("it is installed again", "re-install", "user", OWNER, ACME, SLACK, true, true, "ok"),
    ("an integration is configured", "configuration-change", "user", OWNER, ACME, EXAMPLE, false, true, "ok"),
    ("another organization links it", "link", "user", OWNER, OTHER, SLACK, true, true, "ok"),
    ("a token is read", "token-read", "token", Some("test"), ACME, SLACK, true, true, "ok"),
    ("it is used", "proxy-use", "token", Some("test"), ACME, SLACK, true, true, "ok"),
    ("a plugin is refused", "plugin-load", "operator", None, None, None, false, false, "refused"),
    ("a configuration is refused", "configuration-change", "operator", None, None, None, false, false, "refused"),
    ("a plugin is loaded by a reload", "plugin-load", "operator", None, None, None, false, true, "ok"),
    ("a configuration is taken over", "configuration-change", "operator", None, None, None, false, false, "ok"),
    ("keys are rotated", "key-rotation", "operator", None, None, None, false, false, "ok"),
    ("an identity is unlinked", "identity-unlink", "user", OWNER, None, SLACK, false, false, "ok"),
    ("one organization unlinks it", "unlink", "user", OWNER, OTHER, SLACK, true, true, "ok"),
    ("the last removes it", "unlink", "token", Some("test"), ACME, SLACK, true, true, "ok"),
    ("it is revoked at the provider", "revoke", "host", None, ACME, SLACK, true, true, "ok"),
    ("another member is added", "member-change", "operator", None, OTHER, None, false, false, "ok"),
];

fn of<'a>(rows: &'a [Value], action: &'a str, result: &'a str) -> impl Iterator<Item = &'a Value> {
    rows.iter().filter(move |row| row["action"] == action && row["result"] == result)
}

fn is_there(rows: &[Value], entry: &Entry) -> bool {
    let (_, action, kind, name, organization, provider, has_account, has_digest, result) = *entry;
    rows.iter().any(|row| {
        let is_digest = row["pluginDigest"].as_str().is_some_and(|digest| digest.len() == 64);
        row["action"] == action
            && row["actor"]["kind"] == kind
            && (name.is_none() || row["actor"]["name"] == json!(name))
            && row["organization"] == json!(organization)
            && row["provider"] == json!(provider)
            && (row["externalId"] == TEAM) == has_account
            && is_digest == has_digest
            && row["result"] == result
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn checklist_62_every_action_is_a_row_with_actor_organization_provider_plugin_digest_and_result() -> Result<()> {
    let app = AuditApp::with_everything_done().await?;
    let rows = rows(&app.host)?;
    let printed = rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let missing: Vec<&str> = ENTRIES.iter().filter(|entry| !is_there(&rows, entry)).map(|entry| entry.0).collect();
    assert!(missing.is_empty(), "{missing:?} are not in\n{printed}");
    for secret in &app.secrets {
        assert!(secret.len() >= 8 && !printed.contains(secret.as_str()), "{secret} is in\n{printed}");
    }
    let installed = of(&rows, "install", "ok").next().context("a row")?;
    assert_eq!(installed["integrationId"], app.integration);
    let read: Vec<_> = of(&rows, "token-read", "ok").collect();
    assert_eq!((read.len(), &read[0]["detail"]), (1, &json!({"grant": "bot"})), "its repeats are counted: {read:?}");
    let at_the_start = of(&rows, "configuration-change", "ok").next().context("a row")?;
    assert_snapshot!(redacted(&at_the_start["detail"].to_string()), @r#"{"at":"start","file":"[folder]/jackfield.toml","keys":["database.url","default-integrations","http.allow-private","http.timeout","slack.api","slack.authorize-url","slack.client-id","slack.client-secret","slack.token-url","system.listen","system.secret-key","system.url-prefix"]}"#);
    let of_acme: Vec<_> = of(&rows, "configuration-change", "ok").filter(|row| row["organization"] == "acme").collect();
    assert_eq!(
        (of_acme.len(), &of_acme[0]["detail"]),
        (1, &json!({"keys": ["name"]})),
        "the second has changed nothing"
    );
    let mut by_operator = of(&rows, "configuration-change", "ok").filter(|row| row["actor"]["kind"] == "operator");
    let changed = by_operator.next().context("a row")?;
    assert_eq!(changed["detail"]["keys"], json!(["default-integrations", "http.timeout"]));
    assert_eq!(changed["detail"]["added"], json!(["misbehaving"]));
    let refused = of(&rows, "configuration-change", "refused").next().context("a row")?;
    assert_snapshot!(redacted(&refused["detail"].to_string()), @r#"{"keys":["default-integrations","slack.nonsense"],"mistakes":2}"#);
    let refused =
        of(&rows, "plugin-load", "refused").find(|row| row["detail"]["entry"] == "no-such-plugin").context("a row")?;
    assert_snapshot!(redacted(&refused["detail"].to_string()), @r#"{"entry":"no-such-plugin","key":"default-integrations","reason":"no plugin named `no-such-plugin`: looked for plugins/libno-such-plugin.so, plugins/no-such-plugin.so, plugins/libno_such_plugin.so"}"#);
    let said = app.host.run(&["audit", "verify"], "")?;
    assert!(said.starts_with(&format!("{} rows, none changed\nhead ", rows.len())), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_in_pages_and_by_filters_and_each_organization_reads_its_own() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    app.host.organization("other")?;
    app.host.member("other", "owner@example.com", "owner")?;
    add_example(&owner, "other", "theirs").await?;
    let first = add_example(&owner, "acme", "one").await?;
    for name in ["two", "three"] {
        add_example(&owner, "acme", name).await?;
    }
    let base = "/api/0/organizations/acme/audit/";
    let all = owner.visit(base).await?.json()?;
    let all = all.as_array().context("a list")?;
    assert!(all.iter().all(|row| row["organization"] == "acme"), "{all:?}");
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    let (mut paged, mut next) = (Vec::new(), Some(format!("{base}?per_page=2")));
    while let Some(path) = next {
        let response = owner.visit(&path).await?;
        let page = response.json()?;
        let page = page.as_array().context("a list")?;
        assert!((1..=2).contains(&page.len()));
        paged.extend(ids(page));
        let link = response.header("link");
        next = link.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(url, _)| url.to_owned());
    }
    assert_eq!(paged, ids(all));
    for (query, count) in [
        ("action=install".to_owned(), 3),
        ("action=install&provider=slack".to_owned(), 0),
        ("provider=example".to_owned(), 3),
        (format!("integration={first}"), 1),
    ] {
        let found = owner.visit(&format!("{base}?{query}")).await?.json()?;
        assert_eq!(found.as_array().map(Vec::len), Some(count), "{query}: {found}");
    }
    let refused = owner.visit(&format!("{base}?action=nonsense")).await?;
    let said = refused.json()?["detail"].as_str().unwrap_or_default().to_owned();
    assert_eq!(refused.status, 400);
    assert_snapshot!(said, @"There is no such action; there are install, re-install, link, unlink, identity-link, identity-unlink, refresh-failure, token-read, proxy-use, revoke, key-rotation, audit-key, audit-cut, plugin-load, provider-adoption, configuration-change, user-creation, organization-creation, member-change, token-creation, token-revocation, connect-session-creation, connect-session-end, endpoint-creation, endpoint-change, endpoint-removal, endpoint-rotation, endpoint-disabling, redelivery, member-removal, organization-change, organization-removal, user-change, user-removal, log-in, log-out.");
    let reader = ApiClient::with_token(&app.host, &app.host.token("other", &["org:write"])?);
    assert_eq!(reader.get(base).await?.status, 404, "not their organization");
    let theirs = reader.get("/api/0/organizations/other/audit/").await?.json()?;
    assert!(theirs.to_string().contains("theirs") && !theirs.to_string().contains("acme"), "{theirs}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_entries_in_words_to_those_who_may_read_them() -> Result<()> {
    let app = TestApp::start().await?;
    let (owner, member) = (app.log_in_as("owner").await?, app.log_in_as("member").await?);
    let id = add_example(&owner, "acme", "Analytical Engines").await?;
    let page = "/organizations/acme/audit/";
    let seen = owner.visit(page).await?.text;
    for word in ["Connected", "owner@example.com", "Analytical Engines", "Organization created", "Membership changed"] {
        assert!(seen.contains(word), "{word} is not in {seen}");
    }
    assert!(seen.contains(&format!(r#"<a href="/organizations/acme/integrations/{id}/">"#)));
    assert!(
        seen.contains(r#"value="configuration-change""#) && !seen.contains("identity-unlink"),
        "only what may be found"
    );
    let filtered = owner.visit(&format!("{page}?action=link&integration={id}")).await?.text;
    assert!(filtered.contains("No entries match these filters."), "{filtered}");
    assert_eq!(owner.visit(&format!("{page}?action=nonsense")).await?.status, 400);
    assert!(owner.visit("/organizations/acme/integrations/").await?.text.contains(page));
    let details = format!("/organizations/acme/integrations/{id}/");
    assert!(owner.visit(&details).await?.text.contains(&format!("{page}?integration={id}")));

    assert_eq!(member.visit(page).await?.status, 403);
    assert!(!member.visit(&details).await?.text.contains(page));
    assert!(!member.visit("/organizations/acme/integrations/").await?.text.contains(page));
    Ok(())
}

/// What the starts of a host record of its configuration: changed keys, or why they are unknown.
fn at_starts(host: &Host) -> Result<Vec<Value>> {
    let rows = rows(host)?.into_iter().filter(|row| row["action"] == "configuration-change");
    Ok(rows.filter(|row| row["detail"]["at"] == "start").map(|row| row["detail"]["keys"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_tells_which_keys_of_the_configuration_have_changed_since_the_last_and_no_value() -> Result<()> {
    for database in databases() {
        let with = |toml: &str| bare().plugin("example").database(database.clone()).toml(toml);
        let secret = "[slack]\nclient-secret = { file = \"slack.secret\" }\n";
        let host = with("[http]\ntimeout = 2\n").start()?;
        assert_eq!(at_starts(&host)?.len(), 1, "all of it is new");
        std::fs::write(host.folder().join("slack.secret"), SLIP)?;
        let host = host.restart(with("[http]\ntimeout = 2\n"))?;
        assert_eq!(at_starts(&host)?.len(), 1, "nothing has changed");
        let changed = || with(&format!("[http]\ntimeout = 3\n{secret}")).plugin("slack");
        let host = host.restart(changed())?;
        let keys = json!(["default-integrations", "http.timeout", "slack.client-secret"]);
        assert_eq!(at_starts(&host)?[1..], [keys]);
        std::fs::write(host.folder().join("slack.secret"), SLIP.to_uppercase())?;
        let host = host.killed_and_restarted(changed())?;
        assert_eq!(
            at_starts(&host)?[2..],
            [json!(["slack.client-secret"])],
            "the file says the same, and leads to another secret"
        );
        let reloaded = || with(&format!("[http]\ntimeout = 4\n{secret}")).plugin("slack");
        host.reconfigure(&reloaded())?;
        host.run(&["reload"], "")?;
        let host = host.restart(reloaded())?;
        assert_eq!(at_starts(&host)?.len(), 3, "the reload has recorded it");
        let printed = serde_json::to_string(&rows(&host)?)?.to_lowercase();
        assert!(!printed.contains(SLIP), "{printed}");
        let said = host.run(&["key", "check"], "")?;
        allow_duplicates! {
            assert_snapshot!(redacted(&said), @"every sealed value can be opened");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_name_forges_no_row_of_the_list_and_who_reads_no_further_is_no_fault() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    // Example makes an id of the name, and an id with control characters is refused.
    assert!(add_example(&owner, "acme", "x\n     1 2026-11-25T00:00:00Z unlink\u{1b}[2J").await.is_err());
    add_example(&owner, "acme", "x      1 2026-11-25T00:00:00Z unlink               ok      eve").await?;
    let printed = app.host.run(&["audit", "list"], "")?;
    assert_eq!(printed.lines().count(), rows(&app.host)?.len(), "one line each: {printed}");
    assert!(!printed.contains('\u{1b}'));
    let printed = redacted_with(&printed, &[(r#""setup":"[^"]+""#, r#""setup":"[id]""#)]);
    assert_snapshot!(printed, @r#"
    1 [time] plugin-load          ok      host - example - 1 {"entry":"example","isolation":"process","plugin":"jackfield-plugin-example","providers":["example"],"version":"0.1.0"}
    2 [time] plugin-load          ok      host - slack - 1 {"entry":"slack","isolation":"process","plugin":"jackfield-plugin-slack","providers":["slack"],"version":"0.1.0"}
    3 [time] configuration-change ok      host - - - 1 {"at":"start","file":"[folder]/jackfield.toml","keys":["database.url","default-integrations","http.allow-private","http.timeout","slack.api","slack.authorize-url","slack.client-id","slack.client-secret","slack.token-url","system.listen","system.secret-key","system.url-prefix"]}
    4 [time] organization-creation ok      operator acme - - 1 {}
    5 [time] user-creation        ok      operator - - - 1 {"superuser":false,"user":"owner@example.com"}
    6 [time] member-change        ok      operator acme - - 1 {"role":"owner","user":"owner@example.com"}
    7 [time] log-in               ok      owner@example.com - - - 1 {"address":"127.0.0.1","request":"[id]"}
    8 [time] install              failed  owner@example.com acme example - 1 {"reason":"plugin","setup":"[id]"}
    9 [time] install              ok      owner@example.com acme example "x      1 [time] unlink               ok      eve" 1 {}
    "#);

    let mut list = std::process::Command::new(program().path);
    list.arg("--config").arg(app.host.folder().join("jackfield.toml")).current_dir(app.host.folder());
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let output = list.args(["audit", "list"]).stdout(writer).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("panicked"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_says_of_which_integration_as_long_as_it_is_there_and_by_which_build() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let id = owner.install("acme", "slack").await?.dialog()?.data["id"].clone();
    app.host.run(&["revoke", "--provider", "slack", "--keep", "--yes"], "")?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    let path = format!("/api/0/organizations/acme/integrations/{}/", id.as_str().context("an id")?);
    ensure!(owner.send(owner.request(Method::DELETE, &path)).await?.status == 204);
    app.database().await?.settled().await?;
    let rows = rows(&app.host)?;
    // The revocation of the replaced tokens is an entry too. It may come before or after the
    // removal.
    let entries = of(&rows, "revoke", "ok").map(|row| (&row["detail"]["cause"], &row["integrationId"]));
    let revoked: Vec<_> = entries.filter(|(cause, _)| **cause != json!("replaced")).collect();
    assert_eq!(revoked, [(&json!("operator"), &id), (&json!("removed"), &Value::Null)]);
    assert!(of(&rows, "revoke", "ok").all(|row| row["pluginDigest"].is_string()), "{rows:?}");
    Ok(())
}
