//! Keys at rest: rotated while hosts serve, taken in turns by lines of the secret key, and rows that cannot be opened.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_store::sealed_columns::SEALED_COLUMNS;
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
    stand_in::{Endpoint, Rotation},
    stand_in_slack::Install,
};
use jackfield_tidy::sources;
use reqwest::Method;

use crate::app::{TestApp, bare, redacted, slack_options};

#[test]
fn every_sealed_column_of_the_schema_is_sealed_anew_by_a_rotation() -> Result<()> {
    let files = sources("host/store/src")?;
    let (_, schema) = files.iter().find(|(path, _)| path.ends_with("/schema.rs")).context("a schema")?;
    let mut table = "";
    let mut in_schema = BTreeSet::new();
    for line in schema.lines().map(str::trim) {
        if let Some((name, _)) = line.split_once(" (").filter(|_| line.ends_with('{')) {
            table = name;
        }
        if let Some((column, _)) = line.split_once(" -> ").filter(|(column, _)| column.starts_with("sealed_")) {
            in_schema.insert(format!("{table}.{column}"));
        }
    }
    // Wrapped under the secret key itself.
    assert!(in_schema.remove("seal_keys.sealed_key"));
    let listed: BTreeSet<String> =
        SEALED_COLUMNS.iter().map(|column| format!("{}.{}", column.table, column.name())).collect();
    assert_eq!(in_schema, listed);
    Ok(())
}

/// The data keys in `key status`.
fn data_keys(status: &str) -> Vec<&str> {
    status.lines().filter(|line| line.contains("  since ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_seals_everything_anew_while_the_host_serves() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        assert!(owner.install("acme", "slack").await?.dialog()?.success);
        let before = app.database().await?.integrations().await?;
        // One set-up is under way.
        let step = owner.start_setup("acme", "slack").await?;
        for _ in 0..2 {
            let said = app.host.run(&["key", "rotate"], "")?;
            assert!(said.contains("current key") && !said.contains("cannot be opened"), "{said}");
            assert!(app.host.log()?.contains("keys are rotated"), "the running host has done it");
            let status = app.host.run(&["key", "status"], "")?;
            assert_eq!(data_keys(&status).len(), 1, "the old key is gone: {status}");
            assert!(status.contains("wraps 1 keys, 0 values"), "{status}");
        }
        assert_eq!(app.database().await?.integrations().await?[0].1, before[0].1);
        assert!(owner.visit(&owner.consent(&step).await?).await?.dialog()?.success, "the set-up goes on");
        assert_eq!(app.list_integrations(&owner).await?.len(), 1, "and the session");
        assert!(app.host.run(&["key", "check"], "")?.contains("every sealed value can be opened"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_has_not_seen_a_rotation_reads_and_writes_under_the_new_key() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        // Another process with a ring of its own, as a second host is.
        let other = app.host.store().await?;
        other.load_keys().await?;
        let stale = other.sealer().current();
        app.host.run(&["key", "rotate"], "")?;
        assert!(owner.install("acme", "slack").await?.dialog()?.success);
        let stored = crate::app::AppDatabase::of(&app.host).await?;
        assert_eq!(stored.integrations().await?.len(), 1, "a key that is not known yet is looked up");
        assert_eq!(other.sealer().current(), stale);
        other.write(|_| Ok(())).await?;
        assert_ne!(other.sealer().current(), stale, "whoever writes takes the current key");
    }
    Ok(())
}

fn write_lines(host: &Host, lines: &[&str]) -> Result<()> {
    Ok(fs::write(host.folder().join("data/secret.key"), lines.join("\n") + "\n")?)
}

/// Who had the old secret key and a copy of the database knows none of the keys by now.
fn assert_another_key(before: &str, after: &str) {
    let ids = |status| data_keys(status).into_iter().filter_map(|line: &str| line.split_whitespace().next()).collect();
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) = (ids(before), ids(after));
    assert!(after.len() == 1 && before.is_disjoint(&after), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_key_is_rotated_line_by_line() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    let old = fs::read_to_string(app.host.folder().join("data/secret.key"))?.trim().to_owned();
    let new = "n".repeat(44);

    write_lines(&app.host, &[&new])?;
    let (is_fine, said) = app.host.output(&["reload"])?;
    assert!(!is_fine, "an old line must not go first: {said}");
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    : system.secret-key: what is sealed still hangs on the key e58245c9, which is not among these
      help: put that line back; `jackfield key rotate --secret-key` makes it superfluous, `jackfield key status` says when
    ");

    write_lines(&app.host, &[&new, &old])?;
    let (is_fine, said) = app.host.output(&["key", "rotate", "--secret-key"])?;
    assert!(!is_fine);
    assert_snapshot!(redacted(&said), @"
    error: the running host's newest secret key is e58245c9, here it is f5700754
      help: `jackfield reload` first, on every host, so that all have the new line
    ");
    app.host.run(&["reload"], "")?;
    let known = app.host.run(&["key", "status"], "")?;
    let said = app.host.run(&["key", "rotate", "--secret-key"], "")?;
    assert_snapshot!(redacted(&said), @"
    sealed anew  1
    sealed anew  2
    sealed anew  3
    sealed anew  4
    sealed anew  5
    sealed anew  6
    current key  9b57766b
    sealed anew  6 in all
    wrapped      2 data keys under the first line of system.secret-key
    removed      c95a570e
    ");
    let status = app.host.run(&["key", "status"], "")?;
    assert!(status.contains("not needed any more"), "{status}");
    assert_another_key(&known, &status);
    assert!(app.host.run(&["audit", "verify"], "")?.contains("none changed"));

    write_lines(&app.host, &[&new])?;
    app.host.run(&["reload"], "")?;
    assert!(app.host.run(&["key", "check"], "")?.contains("every sealed value can be opened"));
    assert_eq!(app.list_integrations(&owner).await?.len(), 1, "the session lives on");
    assert!(owner.install("acme", "slack").await?.dialog()?.success);

    write_lines(&app.host, &[&old])?;
    let (is_fine, said) = app.host.output(&["key", "check"])?;
    assert!(!is_fine);
    assert_snapshot!(redacted(&said), @r#"
    seal_keys  9b57766b  the data key 9b57766b is wrapped under another secret key: key id f5700754, this host has e58245c9
    integrations  slack / T0STANDIN  a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    identities  1 / U0ADA  a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    grants  1 / bot /   a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    revocations  3  a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    audit_keys  1  a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    audit_keys  11  a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    configurations  [folder]/jackfield.toml  a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    sessions  [digest]  a value was sealed under another secret key: key id 9b57766b, this host has e58245c9
    [time]  WARN jackfield_store::sealing::sealer: the data keys cannot be read again key.id="9b57766b" error=the data key 9b57766b is wrapped under another secret key: key id f5700754, this host has e58245c9
      help: put the secret key back that this database was made with, as a line of system.secret-key
    error: 9 sealed values cannot be opened
      help: authenticate again what they belong to, or put back the secret key they were sealed under
    "#);
    let host = bare().plugin("example").plugin("slack").toml(&slack_options(&app.slack, "v2"));
    let said = app.host.restart(host).err().context("it must not start")?.to_string();
    assert_snapshot!(redacted(&said), @r#"
    the host said "", then: [time]  INFO jackfield_loader::registry: a provider is ready provider.id="example" plugin.digest="[digest]"
    [time]  INFO jackfield_loader::registry: a provider is ready provider.id="slack" plugin.digest="[digest]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the database is migrated migration="[number]"
    [time]  INFO jackfield_server::startup: the audit log ends here audit.head=3:[digest]
    [time]  INFO request{request.id="[id]" http.method=POST http.path="/auth/login/"}: jackfield_services::accounts::log_in: logged in user.id=1
    [time]  INFO request{request.id="[id]" http.method=POST http.path="/auth/login/"}: jackfield_server::web::layers: answered http.status=302 http.milliseconds=142.15
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/organizations/acme/integrations/slack/setup/"}: jackfield_services::pipeline: a set-up starts setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" organization.slug="acme" user.id=1
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/organizations/acme/integrations/slack/setup/"}: jackfield_server::web::layers: answered http.status=302 http.milliseconds=12.07
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step runs setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" setup.step=0
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step answered setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" step.name="oauth2 log-in" step.answer="redirect" step.milliseconds=0.16
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_server::web::layers: answered http.status=302 http.milliseconds=4.94
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step runs setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" setup.step=0
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step answered setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" step.name="oauth2 log-in" step.answer="next" step.milliseconds=0.03
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step runs setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" setup.step=1
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step answered setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" step.name="oauth2 callback" step.answer="next" step.milliseconds=1.87
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::finish: the integration is built setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" step.name="build integration" step.answer="integration" step.milliseconds=0.76
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::finish: an integration is installed setup.id="-GJpg4w-iSLOo1zF1jwzwQ" provider.id="slack" organization.slug="acme" integration.id=1
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_server::web::layers: answered http.status=200 http.milliseconds=19.91
    [time] ERROR jackfield_services::reload: the configuration is not reloaded: everything is as it was error=1 mistake in the configuration
    : system.secret-key: what is sealed still hangs on the key e58245c9, which is not among these
      help: put that line back; `jackfield key rotate --secret-key` makes it superfluous, `jackfield key status` says when
    [time]  INFO jackfield_services::reload: the secret key has other lines
    [time]  INFO jackfield_loader::registry: a provider is ready provider.id="example" plugin.digest="[digest]"
    [time]  INFO jackfield_loader::registry: a provider is ready provider.id="slack" plugin.digest="[digest]"
    [time]  INFO jackfield_services::reload: the configuration is reloaded changes=Changes { added: [], replaced: [], removed: [], kept: ["example", "slack"] } skipped=[] needs_restart=[]
    [time]  INFO jackfield_services::keys: keys are rotated rotated=Rotated { key: "9b57766b", is_continued: false, rewrapped: 2, resealed: 6, damaged: 0, removed: ["c95a570e"] }
    [time]  INFO jackfield_services::reload: the secret key has other lines
    [time]  INFO jackfield_loader::registry: a provider is ready provider.id="example" plugin.digest="[digest]"
    [time]  INFO jackfield_loader::registry: a provider is ready provider.id="slack" plugin.digest="[digest]"
    [time]  INFO jackfield_services::reload: the configuration is reloaded changes=Changes { added: [], replaced: [], removed: [], kept: ["example", "slack"] } skipped=[] needs_restart=[]
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/api/0/organizations/acme/integrations/"}: jackfield_server::web::layers: answered http.status=200 http.milliseconds=2.06
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/organizations/acme/integrations/slack/setup/"}: jackfield_services::pipeline: a set-up starts setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" organization.slug="acme" user.id=1
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/organizations/acme/integrations/slack/setup/"}: jackfield_server::web::layers: answered http.status=302 http.milliseconds=5.4
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step runs setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" setup.step=0
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step answered setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" step.name="oauth2 log-in" step.answer="redirect" step.milliseconds=0.15
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_server::web::layers: answered http.status=302 http.milliseconds=15.08
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step runs setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" setup.step=0
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step answered setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" step.name="oauth2 log-in" step.answer="next" step.milliseconds=0.04
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step runs setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" setup.step=1
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::visit: a step answered setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" step.name="oauth2 callback" step.answer="next" step.milliseconds=1.76
    [time] DEBUG request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::finish: the integration is built setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" step.name="build integration" step.answer="integration" step.milliseconds=0.9
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_services::pipeline::finish: an integration is installed setup.id="K9W1rSXf0BV0D5thROZBdw" provider.id="slack" organization.slug="acme" integration.id=1
    [time]  INFO request{request.id="[id]" http.method=GET http.path="/extensions/slack/setup/"}: jackfield_server::web::layers: answered http.status=200 http.milliseconds=48.94
    [time]  INFO jackfield_server::startup: stopping: no new connections
    [time]  INFO jackfield_server::startup: the audit log ends here audit.head=14:[digest]
    [time]  INFO jackfield_server::startup: stopped
    [time]  INFO jackfield_loader::registry: a provider is ready provider.id="example" plugin.digest="[digest]"
    [time]  INFO jackfield_loader::registry: a provider is ready provider.id="slack" plugin.digest="[digest]"
    error: 1 mistake in the configuration
    : system.secret-key: [folder]/data/secret.key: this database's secrets hang on another secret key (f5700754); with what is here (e58245c9) nothing could be opened
      help: put that key there: another host of this installation has it, or a backup. All hosts of one installation share one secret key
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_opened_costs_only_itself() -> Result<()> {
    for (damage, reason) in [
        ("X'01'", "a sealed value is cut"),
        ("CAST(X'01deadbeef' || randomblob(60) AS BLOB)", "key id deadbeef"),
        ("(SELECT sealed_metadata FROM integrations WHERE id = 2)", "changed or moved"),
    ] {
        let app = TestApp::start().await?;
        let owner = app.log_in_as("owner").await?;
        let id = owner.install("acme", "slack").await?.dialog()?.data["id"].as_str().unwrap_or_default().to_owned();
        app.database().await?.fill(1).await?;
        let sql = format!("UPDATE integrations SET sealed_metadata = {damage} WHERE id = {id}");
        spoil(&app.host, &sql)?;

        let (is_fine, said) = app.host.output(&["key", "check"])?;
        assert!(!is_fine && said.contains("integrations  slack / ") && said.contains(reason), "{said}");
        assert_eq!(app.list_integrations(&owner).await?.len(), 2, "the list shows the others");
        let page = owner.visit(&format!("/organizations/acme/integrations/{id}/")).await?;
        assert!(page.status == 200 && page.text.contains("cannot be read"), "{}", page.text);
        assert!(app.host.log()?.contains(reason), "the log says why");
        let other = owner.visit("/organizations/acme/integrations/2/").await?;
        assert!(other.status == 200 && !other.text.contains("cannot be read"), "the other does not suffer");
        let said = app.host.run(&["key", "rotate"], "")?;
        assert_snapshot!(redacted(&said), @"
        sealed anew  0
        sealed anew  1
        sealed anew  2
        sealed anew  3
        sealed anew  4
        sealed anew  5
        sealed anew  6
        current key  f8950483
        sealed anew  6 in all
        removed      93150b25
        note: 1 values cannot be opened and were left as they are; `jackfield key check` says which
        ");

        assert!(owner.install("acme", "slack").await?.dialog()?.success, "authenticating again helps it");
        assert!(app.host.run(&["key", "check"], "")?.contains("every sealed value can be opened"));
    }
    Ok(())
}

/// The client's reads of one integration's tokens.
struct Reader {
    client: HttpClient,
    token: String,
    path: String,
}

impl Reader {
    async fn get(&self, path: &str, grant: &str) -> Result<HttpResponse> {
        let asked = self.client.request(Method::GET, &format!("{}{path}", self.path)).bearer_auth(&self.token);
        self.client.send(asked.header("jackfield-grant", grant)).await
    }

    /// Asserts that both ways to a grant say what the matter is, and that it is not worth asking again.
    async fn is_told(&self, grant: &str) -> Result<()> {
        let read = self.get(&format!("token/?grant={grant}"), grant).await?;
        let told = read.json()?;
        assert_eq!((read.status, &told["code"]), (500, &"unreadable".into()), "{told}");
        assert!(
            told["detail"].as_str().is_some_and(|words| words.contains("Setting it up again helps that")),
            "{told}"
        );
        let used = self.get("proxy/auth.test", grant).await?;
        assert_eq!((used.status, used.header("jackfield-error")), (500, "unreadable"), "{}", used.text);
        Ok(())
    }

    async fn is_lent(&self, grant: &str) -> Result<()> {
        let read = self.get(&format!("token/?grant={grant}"), grant).await?;
        assert_eq!(read.status, 200, "{grant}: {}", read.text);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_opened_costs_only_itself_and_says_so() -> Result<()> {
    for (damage, reason) in [
        ("X'01'", "a sealed value is cut"),
        ("CAST(X'01deadbeef' || randomblob(60) AS BLOB)", "key id deadbeef"),
        ("(SELECT sealed_tokens FROM grants WHERE name = 'user')", "changed or moved (key id "),
    ] {
        let app = TestApp::start_with("v2", None, |host| host.toml("user-scopes = [\"search:read\"]")).await?;
        app.slack.behave(|behaviour| {
            (behaviour.rotation, behaviour.install) = (Rotation::ReuseDetected, Install::GridWorkspace);
        });
        let owner = app.log_in_as("owner").await?;
        let installed = owner.install("acme", "slack").await?.dialog()?;
        let id = installed.data["id"].as_str().context("an id")?;
        let token = app.host.token("acme", &["integrations:token", "org:read"])?.trim().to_owned();
        let path = format!("/api/0/organizations/acme/integrations/{id}/");
        let reader = Reader { client: HttpClient::new(&app.host.url), token, path };

        spoil(&app.host, &format!("UPDATE grants SET sealed_tokens = {damage} WHERE name = 'bot'"))?;
        reader.is_told("bot").await?;
        assert!(app.host.log()?.contains(reason), "the log says why: {}", app.host.log()?);
        spoil(&app.host, "UPDATE grants SET expires_at = 1 WHERE name = 'bot'")?;
        for _ in 0..2 {
            reader.is_told("bot").await?;
        }
        assert_eq!(app.slack.faults().requests(Endpoint::Refresh), 0, "the provider has no part in it");
        reader.is_lent("user").await?;
        assert_eq!(app.list_integrations(&owner).await?.len(), 1);

        assert!(owner.install("acme", "slack").await?.dialog()?.success, "authenticating again helps it");
        reader.is_lent("bot").await?;
        assert!(app.host.run(&["key", "check"], "")?.contains("every sealed value can be opened"));
    }
    Ok(())
}

/// Changes a SQLite file behind the host's back.
pub(crate) fn spoil(host: &Host, sql: &str) -> Result<()> {
    use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
    let file = host.folder().join("data/jackfield.db");
    let mut connection = SqliteConnection::establish(&file.display().to_string())?;
    connection.batch_execute("PRAGMA busy_timeout = 10000")?;
    Ok(connection.batch_execute(sql)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_crashes_leaves_no_core() -> Result<()> {
    let mut host = bare().start()?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", host.pid()))?;
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).context("a limit of cores")?;
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "{cores}");
    host.signal("ABRT")?;
    host.exit_code()?;
    let left: Vec<_> =
        fs::read_dir(host.folder())?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    assert!(left.iter().all(|name| !name.contains("core")), "{left:?}");
    Ok(())
}
