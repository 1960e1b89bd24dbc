//! No secret leaves the host by its log, its answers, its database, a backup or a crash. The tests
//! search all that the host leaves behind for every secret that it got.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use diesel::connection::SimpleConnection;
use jackfield_config::SecretKeys;
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    postgres::{self, databases},
    stand_in::{Endpoint, Fault, Rotation},
    stand_in_oauth2::{SECRET, StandInOAuth2},
    stand_in_slack::{Install, StandInSlack, TokenAnswer},
};
use reqwest::Method;
use time::Duration;

use crate::{
    app::{PASSWORD, TestApp, bare, slack_options},
    providers::declared::{declaration_of, service_of},
    providers::webhook::{Shown, call, shown},
    store::secret_search::Secrets,
};

/// Names that are stored in clear: what a search must find, or it would find nothing anywhere.
const IN_CLEAR: [&str; 2] = ["Analytical Engines", "Webhooked Engines"];

/// A host with three providers, at which everything happens that has to do with secrets.
struct SecretsApp {
    base: TestApp,
    service: StandInOAuth2,
    owner: HttpClient,
    /// A bearer token that may read tokens.
    token: String,
    secrets: Secrets,
}

impl Deref for SecretsApp {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.base
    }
}

impl SecretsApp {
    async fn new(database: Option<String>) -> Result<Self> {
        let (slack, service) = (StandInSlack::start().await?, StandInOAuth2::start([declared()?].into()).await?);
        slack.behave(|behaviour| {
            (behaviour.rotation, behaviour.install) = (Rotation::ReuseDetected, Install::GridWorkspace);
        });
        let allowed = format!("allow-private = [\"127.0.0.1:{}\", ", service.port());
        let options = slack_options(&slack, "v2").replace("allow-private = [", &allowed);
        let declared = declaration_of(&service, "declared", "revocation-url = \"https://declared.example/revoke\"");
        let host = bare().plugin("slack").plugin("webhook").database(database).log("trace");
        let host = host.toml(&options).toml("user-scopes = [\"search:read\"]\n").toml(&declared).start()?;
        host.organization("acme")?;
        let app = TestApp { host, slack };
        let owner = app.log_in_as("owner").await?;
        let token = app.host.token("acme", &["integrations:token", "org:read"])?.trim().to_owned();
        let mut secrets = Secrets::default();
        secrets.add("the password", PASSWORD);
        secrets.add("the API token", &token);
        secrets.add("Slack's client secret", &app.slack.client().secret);
        secrets.add("the declared client secret", SECRET);
        Ok(Self { base: app, service, owner, token, secrets })
    }

    /// Logs in once more and keeps what the cookie holds.
    async fn log_in(&mut self) -> Result<()> {
        let response = self.owner.log_in("owner@example.com", PASSWORD).await?;
        self.secrets.add("the session", response.header("set-cookie").split(['=', ';']).nth(1).context("a cookie")?);
        Ok(())
    }

    /// Goes through a setup and keeps code and state.
    async fn set_up(&mut self, provider: &str) -> Result<HttpResponse> {
        let step = self.owner.start_setup("acme", provider).await?;
        let back = self.owner.consent(&step).await?;
        for (name, value) in url::Url::parse(&back)?.query_pairs() {
            if name == "code" || name == "state" {
                self.secrets.add(&format!("the {name} of {provider}"), value.as_bytes());
            }
        }
        self.owner.visit(&back).await
    }

    /// Goes through a setup that succeeds, and says where the integration is in the API.
    async fn installed(&mut self, provider: &str) -> Result<String> {
        let dialog = self.set_up(provider).await?.dialog()?;
        assert!(dialog.success, "{provider}: {:?}", dialog.data);
        Ok(format!("/api/0/organizations/acme/integrations/{}/", dialog.data["id"].as_str().context("an id")?))
    }

    /// Has a token refreshed that has expired.
    async fn refreshed(&self, path: &str, external_id: &str, grant: &str) -> Result<()> {
        self.database().await?.let_live(external_id, grant, Duration::seconds(-1)).await?;
        let asked = self.owner.request(Method::GET, &format!("{path}token/?grant={grant}")).bearer_auth(&self.token);
        assert_eq!(self.owner.send(asked).await?.status, 200, "{path} {grant}");
        Ok(())
    }

    /// Installs by a call of a service, and keeps key and secret.
    async fn webhook(&mut self) -> Result<()> {
        let Shown { url, secret } = shown(&self.owner.start_setup("acme", "webhook").await?)?;
        assert_eq!(call(&self.base, &url, &secret, r#"{"id": 7, "name": "Webhooked Engines"}"#).await?, 204);
        assert_eq!(call(&self.base, &url, "a forged secret", "{}").await?, 401);
        assert!(self.owner.visit("/extensions/webhook/setup/").await?.dialog()?.success);
        self.secrets.add("the webhook's key", url.trim_end_matches('/').rsplit('/').next().context("a key")?);
        self.secrets.add("the webhook's secret", secret);
        Ok(())
    }

    /// All that the stand-ins have given out, and have been shown.
    fn keep_what_was_given_out(&mut self) {
        let tokens = [self.slack.tokens().all(), self.service.tokens().all()].concat();
        for token in &tokens {
            self.secrets.add(&format!("a token of {} ({:?})", token.owner, token.state), &token.token);
        }
        self.service.verifiers().iter().for_each(|verifier| self.secrets.add("a code verifier", verifier));
    }

    /// The secret key, what is derived from it, and the data keys of the moment.
    async fn keep_keys(&mut self) -> Result<()> {
        let text = fs::read_to_string(self.host.folder().join("data/secret.key"))?.trim().to_owned();
        self.secrets.add("the secret key", &text);
        let key = SecretKeys::new([text.as_str()]).newest();
        for purpose in ["seal", "data keys"] {
            self.secrets.add("a derived key", *key.derive(purpose));
        }
        for (id, wrapped) in self.host.store().await?.read(|tx| tx.wrapped_keys()).await? {
            self.secrets.add("a data key", unwrapped(&key.derive("data keys"), &id, &wrapped)?);
        }
        Ok(())
    }
}

/// A service whose tokens are refreshed once each, and can be revoked.
fn declared() -> Result<(String, jackfield_test_support::stand_in_oauth2::ServiceProfile)> {
    service_of("declared", |profile| {
        profile.revocation = Some("https://declared.example/revoke".to_owned());
        profile.rotation = Rotation::SingleUse;
        profile.token_answer =
            r#"{"access_token": "TOKEN", "refresh_token": "REFRESH", "expires_in": 3600}"#.to_owned();
    })
}

/// Follows the documentation of sealed values and uses none of the host's code. Version, key id and
/// nonce stand before the ciphertext. It is bound to table, column and row, each after its length.
fn unwrapped(key: &[u8; 32], id: &[u8], wrapped: &[u8]) -> Result<Vec<u8>> {
    let parts = [b"seal_keys".as_slice(), b"key", id];
    let aad: Vec<u8> = parts.iter().flat_map(|part| [&part.len().to_be_bytes(), *part].concat()).collect();
    let (nonce, msg) = wrapped[5..].split_first_chunk::<24>().context("a nonce")?;
    let opened = XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), Payload { msg, aad: &aad });
    opened.map_err(|_| anyhow::anyhow!("a data key is wrapped otherwise"))
}

/// A place, and what stands there.
type Place = (String, Vec<u8>);

/// All that a host leaves in its folder: not what it was configured with.
fn left_behind(host: &Host) -> Result<Vec<Place>> {
    const GIVEN: [&str; 4] = ["jackfield.toml", "from-outside.toml", "data/secret.key", "plugins"];
    let mut places = Vec::new();
    files_below(host.folder(), &mut |path| {
        let name = path.strip_prefix(host.folder())?.display().to_string();
        if !GIVEN.iter().any(|given| name.starts_with(given)) {
            places.push((name, fs::read(&path)?));
        }
        Ok(())
    })?;
    Ok(places)
}

fn files_below(folder: &Path, run: &mut impl FnMut(PathBuf) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => files_below(&entry.path(), run)?,
            kind if kind.is_file() => run(entry.path())?,
            _ => {}
        }
    }
    Ok(())
}

/// A backup beside the database, and whatever else of it is not in the host's folder.
fn backed_up(host: &Host, database: Option<&str>) -> Result<Vec<Place>> {
    let Some(url) = database else {
        use diesel::{Connection, SqliteConnection};
        let file = |name: &str| host.folder().join("data").join(name).display().to_string();
        let mut connection = SqliteConnection::establish(&file("jackfield.db"))?;
        connection.batch_execute(&format!("PRAGMA busy_timeout = 10000; VACUUM INTO '{}'", file("backup.db")))?;
        return Ok(Vec::new());
    };
    let mut places = vec![("pg_dump".to_owned(), postgres::dump(url)?)];
    postgres::checkpoint(url)?;
    let cluster = postgres::cluster()?;
    files_below(&cluster, &mut |path| {
        let name = format!("cluster/{}", path.strip_prefix(&cluster)?.display());
        // The server goes on, and removes what it needs no longer.
        places.extend(fs::read(&path).ok().map(|bytes| (name, bytes)));
        Ok(())
    })?;
    Ok(places)
}

/// Asserts that no secret stands anywhere, and answers where names do that are stored in clear.
fn searched(secrets: &Secrets, places: &[Place]) -> Vec<String> {
    let mut clear = Secrets::default();
    IN_CLEAR.iter().for_each(|name| clear.add("a name", name));
    for (name, bytes) in places {
        assert_eq!(secrets.found_in(bytes), Vec::<String>::new(), "in {name}");
    }
    places.iter().filter(|(_, bytes)| !clear.found_in(bytes).is_empty()).map(|(name, _)| name.clone()).collect()
}

/// Everything that has to do with secrets.
async fn lived_through(app: &mut SecretsApp) -> Result<()> {
    app.log_in().await?;
    let slack = app.installed("slack").await?;
    app.refreshed(&slack, "T0STANDIN", "bot").await?;
    app.refreshed(&slack, "T0STANDIN", "user").await?;
    app.installed("slack").await?; // and so authenticated again
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::NotJson);
    assert!(!app.set_up("slack").await?.dialog()?.success, "with a stolen code");
    let declared = app.installed("declared").await?;
    app.refreshed(&declared, "7", "access").await?;
    app.webhook().await?;
    for _ in 0..2 {
        app.keep_keys().await?;
        app.host.run(&["key", "rotate"], "")?;
    }
    // One that is removed while its service cannot be reached: its tokens wait to be revoked.
    app.service.faults("declared").always(Endpoint::Revocation, Some(Fault::ServerError));
    let removed = app.owner.send(app.owner.request(Method::DELETE, &declared)).await?;
    assert_eq!(removed.status, 204);
    // And one that is under way.
    let step = app.owner.start_setup("acme", "declared").await?;
    let state = step.redirect()?.query_pairs().find(|(name, _)| name == "state").context("a state")?.1.into_owned();
    app.secrets.add("the state of a running setup", state);
    app.keep_what_was_given_out();
    app.keep_keys().await
}

/// What commands print that are about secrets and show none.
fn command_outputs(host: &Host) -> Result<Vec<Place>> {
    let commands = [&["key", "status"][..], &["key", "check"], &["audit", "list"], &["audit", "list", "--json"]];
    commands.into_iter().map(|words| Ok((words.join(" "), host.run(words, "")?.into_bytes()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_database_its_log_of_writes_a_backup_the_host_s_log_or_what_a_crash_leaves() -> Result<()> {
    for database in databases() {
        let mut app = SecretsApp::new(database.clone()).await?;
        lived_through(&mut app).await?;
        let SecretsApp { base: mut app, secrets, .. } = app;
        assert!(secrets.count() > 25, "{} secrets", secrets.count());
        let mut places = backed_up(&app.host, database.as_deref())?;
        places.extend(left_behind(&app.host)?);
        places.extend(command_outputs(&app.host)?);
        let in_clear = searched(&secrets, &places);
        let is_found_in = |name: &str| in_clear.iter().any(|found| found.starts_with(name));
        let expected = match database {
            None => vec!["data/jackfield.db", "data/backup.db"],
            Some(_) => vec!["pg_dump", "cluster/base/", "cluster/pg_wal/"],
        };
        for name in expected {
            assert!(is_found_in(name), "the search finds the clear names in {name}: {in_clear:?}");
        }
        assert!(app.host.log()?.contains("DEBUG"), "the log has the finest level");

        app.host.signal("ABRT")?;
        assert_eq!(app.host.exit_code()?, None, "it has crashed");
        let left = left_behind(&app.host)?;
        assert!(left.iter().all(|(name, _)| !name.contains("core")), "no core");
        searched(&secrets, &left);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_first_dialect_is_in_the_log_at_trace_level_or_in_the_database_files() -> Result<()> {
    let app = TestApp::start_with("v1", None, |host| host.log("trace")).await?;
    let owner = app.log_in_as("owner").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    let mut secrets = Secrets::default();
    secrets.add("the client secret", &app.slack.client().secret);
    for token in app.slack.tokens().all() {
        secrets.add("a token", token.token);
    }
    assert!(!searched(&secrets, &left_behind(&app.host)?).is_empty(), "names are found");
    Ok(())
}
