//! A host of ours under load: its organization, people, integrations and tokens.

use std::ops::Range;

use anyhow::{Context, Result};
use jackfield_store::{
    grants::{self, NewGrant, NewTokens, Scopes, Tokens},
    integrations::{self, NewIntegration},
    members, organization_integrations, organizations,
    seeding::{Seed, seed},
    users::{self, NewUser},
};
use jackfield_test_support::host::{Host, HostBuilder, Program};
use time::OffsetDateTime;

use crate::{
    arguments::Arguments,
    browser::{Browser, Installer, PASSWORD},
    built::Built,
    resources::Group,
    service::{AUTHORIZE, CLIENT_ID, CLIENT_SECRET, Service},
};

/// Where a setup begins.
const START: &str = "/organizations/acme/integrations/slack/setup/";
/// What the page at the end of a setup says.
const SUCCESS: &str = "\"success\":true";

/// A running host with the organization `acme`.
pub(crate) struct Jackfield {
    host: Host,
}

impl Jackfield {
    /// Starts a host on the server's core, with the settings that operators get.
    pub(crate) fn start(arguments: &Arguments, built: &Built, service: &Service) -> Result<Self> {
        let host = Self::of(Self::builder(arguments, built, service, &arguments.server_core.to_string()))?;
        host.organize()?;
        Ok(host)
    }

    /// Starts a host that was changed before.
    pub(crate) fn of(builder: HostBuilder) -> Result<Self> {
        Ok(Self { host: builder.start()? })
    }

    /// Makes the organization, once for all hosts of a database.
    pub(crate) fn organize(&self) -> Result<()> {
        self.host.organization("acme")
    }

    /// A host that is not started yet, on cores like `0` or `0,1`.
    pub(crate) fn builder(arguments: &Arguments, built: &Built, service: &Service, cores: &str) -> HostBuilder {
        let words = ["-c".into(), cores.to_owned(), built.host.display().to_string()];
        let program = Program { path: "taskset".into(), arguments: words.into() };
        let (address, isolation, more) = (&service.address, &arguments.isolation, &arguments.toml);
        let toml = format!(
            "[http]\nallow-private = [\"{address}\", \"127.0.0.1:9\"]\n\n[plugins]\nisolation = \"{isolation}\"\n\n\
             [slack]\nclient-id = \"{CLIENT_ID}\"\nclient-secret = \"{CLIENT_SECRET}\"\n\
             authorize-url = \"{AUTHORIZE}\"\ntoken-url = \"{}\"\n\n{more}\n",
            service.url("/api/oauth.v2.access")
        );
        HostBuilder::new(program).libraries(&built.plugins).plugin("slack").toml(&toml).log("info")
    }

    /// Its address, like `127.0.0.1:8000`.
    pub(crate) fn address(&self) -> &str {
        self.host.url.trim_start_matches("http://")
    }

    /// The host and its workers.
    pub(crate) fn group(&self) -> Result<Group> {
        Group::of(self.host.pid())
    }

    /// Owners of `acme`, each logged in at a browser.
    pub(crate) async fn people(&self, count: usize) -> Result<Vec<Installer>> {
        self.users(count).await?;
        self.logged_in(0..count).await
    }

    /// People who are there already, each logged in at a browser.
    pub(crate) async fn logged_in(&self, numbers: Range<usize>) -> Result<Vec<Installer>> {
        let mut people = Vec::new();
        for number in numbers {
            let mut browser = Browser::at(self.address()).await?;
            browser.log_in(&email(number)).await?;
            people.push(Installer::new(browser, START, SUCCESS));
        }
        Ok(people)
    }

    /// Owners of `acme`. All have one password, so that its hash is computed once.
    pub(crate) async fn users(&self, count: usize) -> Result<()> {
        self.host.user(&email(0), PASSWORD)?;
        let store = self.host.store().await?;
        let made = store.write(move |tx| {
            let first = users::by_email(tx, &email(0))?.expect("it was created");
            let acme = organizations::by_slug(tx, "acme")?.expect("it was created");
            members::set(tx, acme.id, first.id, "owner")?;
            for number in 1..count {
                let new = NewUser {
                    email: email(number),
                    name: email(number),
                    password_hash: first.password_hash.clone(),
                    is_superuser: false,
                };
                let user = users::insert(tx, &new)?;
                members::set(tx, acme.id, user, "owner")?;
            }
            Ok(())
        });
        Ok(made.await?)
    }

    /// Gives `acme` integrations of Slack, each with a token that is valid for an hour. Returns the
    /// id of the first.
    pub(crate) async fn fill(&self, count: usize) -> Result<String> {
        let expires_at = Some(OffsetDateTime::now_utc() + time::Duration::HOUR);
        let store = self.host.store().await?;
        let filled = store.write(move |tx| {
            let acme = organizations::by_slug(tx, "acme")?.expect("it was created");
            let mut ids = Vec::new();
            for number in 0..count {
                let new = NewIntegration {
                    provider: "slack".to_owned(),
                    external_id: format!("TFILLED{number}"),
                    name: format!("Analytical Engines {number}"),
                };
                let (stored, _) = integrations::install(tx, &new)?;
                organization_integrations::install(
                    tx,
                    acme.id,
                    stored.id,
                    organization_integrations::NewLink::of_person(None, &serde_json::Map::new()),
                )?;
                let tokens = Tokens { access_token: format!("xoxb-{number}-{}", "a".repeat(60)), ..Tokens::default() };
                let new =
                    NewTokens { tokens, scopes: Scopes::default(), expires_at, due_at: None, is_single_use: None };
                let grant = NewGrant { name: "bot".to_owned(), subject: String::new(), is_of_account: false, new };
                grants::put(tx, stored.id, acme.id, vec![grant])?;
                ids.push(stored.id);
            }
            Ok(ids)
        });
        Ok(filled.await?.first().context("at least one")?.to_string())
    }

    /// Gives `acme` some integrations and other organizations many, as setups leave them.
    pub(crate) async fn seed(&self, count: usize, own: usize) -> Result<()> {
        let (integrations, own) = (i64::try_from(count)?, i64::try_from(own)?);
        let wanted = Seed {
            integrations,
            organizations: 1 + integrations / 2_000,
            own: Some(("acme".to_owned(), own)),
            audit_rows: integrations,
            provider: "slack".to_owned(),
        };
        Ok(seed(&self.host.store().await?, &wanted, |_| {}).await?)
    }

    /// A bearer token that may do all that is measured.
    pub(crate) fn token(&self) -> Result<String> {
        let scopes = ["integrations:token", "integrations:proxy", "org:read"];
        Ok(self.host.token("acme", &scopes)?.trim().to_owned())
    }
}

fn email(number: usize) -> String {
    format!("person-{number}@example.com")
}
