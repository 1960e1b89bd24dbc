//! `kill -9` at random moments: afterwards every row is complete, and every token is usable or
//! marked as lost.
//!
//! The moments come from a printed seed; `JACKFIELD_KILL_SEED` repeats them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jackfield_store::grants::Status;
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::HttpClient,
    postgres::fresh_database,
    stand_in::{Endpoint, HoldPoint, Rotation, TokenState},
    stand_in_slack::StandInSlack,
};
use reqwest::Method;

use crate::app::{AppDatabase, PASSWORD, bare, log_in, slack_options};

const KILLS: usize = 200;
/// In microseconds: about as long as the interrupted operation, so that some rounds finish.
const LONGEST: u64 = 15_000;

struct CrashApp {
    slack: StandInSlack,
    database: Option<String>,
    host: Option<Host>,
    random: fastrand::Rng,
    token: String,
}

fn seeded() -> fastrand::Rng {
    let given = std::env::var("JACKFIELD_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("JACKFIELD_KILL_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

impl CrashApp {
    async fn new() -> Result<Self> {
        Self::on(None).await
    }

    async fn on(database: Option<String>) -> Result<Self> {
        let slack = StandInSlack::start().await?;
        slack.behave(|behaviour| behaviour.rotation = Rotation::ReuseDetected);
        let host = Self::builder(&slack, database.clone()).start()?;
        host.organization("acme")?;
        host.user("owner@example.com", PASSWORD)?;
        host.member("acme", "owner@example.com", "owner")?;
        let token = host.token("acme", &["integrations:token", "org:read"])?.trim().to_owned();
        Ok(Self { slack, database, host: Some(host), random: seeded(), token })
    }

    fn builder(slack: &StandInSlack, database: Option<String>) -> HostBuilder {
        bare().plugin("slack").database(database).log("warn").toml(&slack_options(slack, "v2"))
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("it runs between the rounds")
    }

    async fn owner(&self) -> Result<HttpClient> {
        log_in(self.host(), "owner@example.com").await
    }

    /// Kills the host at a random moment, and starts it again.
    async fn kill(&mut self) -> Result<()> {
        tokio::time::sleep(Duration::from_micros(self.random.u64(0..LONGEST))).await;
        self.kill_now()
    }

    fn kill_now(&mut self) -> Result<()> {
        let host = self.host.take().context("it runs")?;
        self.host = Some(host.killed_and_restarted(Self::builder(&self.slack, self.database.clone()))?);
        Ok(())
    }

    /// Reads a token and kills the host meanwhile. Returns the token, if one came.
    async fn killed_while_reading(&mut self, id: &str, cut: &Cut) -> Result<Option<String>> {
        let is_held = matches!(cut, Cut::BeforeItIsStored);
        let hold = is_held.then(|| self.slack.faults().hold(Endpoint::Refresh, HoldPoint::AfterHandling));
        let (client, token) = (HttpClient::new(&self.host().url), self.token.clone());
        let path = format!("/api/0/organizations/acme/integrations/{id}/token/");
        let (answered, is_answered) = tokio::sync::oneshot::channel();
        let read = tokio::spawn(async move {
            let response = client.send(client.request(Method::GET, &path).bearer_auth(&token)).await;
            let _ = answered.send(());
            response
        });
        match (cut, &hold) {
            (_, Some(hold)) => hold.wait_for(1).await,
            (Cut::Afterwards, _) => is_answered.await?,
            _ => tokio::time::sleep(Duration::from_micros(self.random.u64(0..LONGEST))).await,
        }
        self.kill_now()?;
        drop(hold);
        let response = read.await?.ok().and_then(|response| response.json().ok());
        Ok(response.and_then(|json| json["accessToken"].as_str().map(str::to_owned)))
    }

    async fn read_token(&self, id: &str) -> Result<(u16, String)> {
        let client = HttpClient::new(&self.host().url);
        let path = format!("/api/0/organizations/acme/integrations/{id}/token/");
        let response = client.send(client.request(Method::GET, &path).bearer_auth(&self.token)).await?;
        let token = response.json()?["accessToken"].as_str().unwrap_or_default().to_owned();
        Ok((response.status, token))
    }

    /// Asserts that every integration is complete and can be opened.
    async fn check_rows(&self) -> Result<Vec<String>> {
        let stored = AppDatabase::of(self.host()).await?;
        let mut found = Vec::new();
        for (installed, metadata) in stored.integrations().await? {
            let integration = &installed.integration;
            let grants = stored.grants_of(integration.id).await?;
            let [(grant, tokens)] = grants.as_slice() else {
                anyhow::bail!("{}: {} grants", integration.external_id, grants.len());
            };
            ensure!(metadata["bot_access_token"] == tokens.access_token.as_str(), "one and the same token");
            let is_marked = installed.link.status == Status::NeedsReauthentication;
            ensure!(is_marked == (grant.status == Status::NeedsReauthentication), "marked alike");
            found.push(integration.external_id.clone());
        }
        Ok(found)
    }

    fn state(&self, token: &str) -> TokenState {
        self.slack.tokens().state(token)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_in_the_middle_of_an_installation_leave_it_whole_or_not_there() -> Result<()> {
    let mut app = CrashApp::new().await?;
    let mut came_through = 0;
    let owner = app.owner().await?;
    for round in 0..KILLS {
        let team = format!("T{round:03}");
        app.slack.behave(|behaviour| behaviour.team_id.clone_from(&team));
        let step = owner.start_setup("acme", "slack").await?;
        let back = owner.consent(&step).await?;
        let callback = {
            let owner = owner.clone();
            tokio::spawn(async move { owner.visit(&back).await?.dialog() })
        };
        app.kill().await?;
        let dialog = callback.await?;
        let found = app.check_rows().await?;
        // What the user saw as installed is installed; the user may not have seen all of it.
        let is_shown = dialog.is_ok_and(|dialog| dialog.success);
        assert!(!is_shown || found.contains(&team), "round {round}: shown as installed, and not there");
        came_through += usize::from(found.contains(&team));
        let again = owner.install("acme", "slack").await?.dialog()?;
        assert!(again.success, "round {round}: nothing is in the way of another: {:?}", again.data);
    }
    eprintln!("{came_through} of {KILLS} were stored before the kill");
    let stored = AppDatabase::of(app.host()).await?;
    assert_eq!(stored.identities("owner@example.com").await?.len(), KILLS);
    for (installed, _) in stored.integrations().await? {
        let (status, token) = app.read_token(&installed.integration.id.to_string()).await?;
        assert_eq!((status, app.state(&token)), (200, TokenState::Live));
    }
    Ok(())
}

/// When a refresh is interrupted. Every kind occurs, however fast this machine is.
enum Cut {
    /// At a random moment.
    Anywhere,
    /// After the provider's refresh, before its answer is stored.
    BeforeItIsStored,
    /// After the new token is returned.
    Afterwards,
}

impl Cut {
    const fn of(round: usize) -> Self {
        match round % 20 {
            7 => Self::BeforeItIsStored,
            13 => Self::Afterwards,
            _ => Self::Anywhere,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_in_the_middle_of_a_refresh_leave_a_usable_token_or_say_that_there_is_none() -> Result<()> {
    refreshes_cut_off(None, KILLS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_in_the_middle_of_a_refresh_leave_the_same_on_postgresql() -> Result<()> {
    let Some(database) = fresh_database() else { return Ok(()) };
    refreshes_cut_off(Some(database), KILLS / 5).await
}

async fn refreshes_cut_off(database: Option<String>, crashes: usize) -> Result<()> {
    let mut app = CrashApp::on(database).await?;
    let owner = app.owner().await?;
    let installed = owner.install("acme", "slack").await?.dialog()?;
    let id = installed.data["id"].as_str().context("an id")?.to_owned();
    let (mut marked, mut came_through) = (0, 0);
    for round in 0..crashes {
        let cut = Cut::of(round);
        AppDatabase::of(app.host()).await?.let_live("T0STANDIN", "bot", time::Duration::seconds(-1)).await?;
        let token_read = app.killed_while_reading(&id, &cut).await?;
        if app.database.is_some() {
            // As if the minute was over in which a slow host could still write.
            AppDatabase::of(app.host()).await?.let_leases_run_out().await?;
        }
        let (status, token) = app.read_token(&id).await?;
        app.check_rows().await?;
        match (status, &cut) {
            (409, Cut::Afterwards) => panic!("round {round}: it was returned before"),
            (200, Cut::BeforeItIsStored) => panic!("round {round}: it was never written"),
            _ => {}
        }
        came_through += usize::from(token_read.is_some());
        match status {
            200 => assert_eq!(app.state(&token), TokenState::Live, "round {round}"),
            409 => {
                marked += 1;
                let again = owner.install("acme", "slack").await?.dialog()?;
                assert!(again.success, "round {round}: {:?}", again.data);
            }
            other => panic!("round {round}: status {other}"),
        }
        // A returned token was stored before.
        assert!(token_read.is_none_or(|token_read| status == 200 && token_read == token), "round {round}");
    }
    assert!(marked >= crashes / 20 && came_through >= crashes / 20, "{marked} cut off, {came_through} came through");
    eprintln!(
        "{marked} of {crashes} were marked, {came_through} came through, {} refreshes were asked for",
        app.slack.faults().requests(Endpoint::Refresh)
    );
    // A used refresh token revokes its family here.
    let revoked = app.slack.tokens().all().into_iter().filter(|token| token.state == TokenState::Revoked).count();
    assert_eq!(revoked, 0, "no used token was ever sent again");
    Ok(())
}
