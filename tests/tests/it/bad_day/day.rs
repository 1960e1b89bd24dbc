//! One host, its load, and what goes wrong.

use std::sync::{Arc, atomic::Ordering};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::{Host, HostBuilder, Program},
    http_client::HttpClient,
    stand_in::{Endpoint, Fault, Rotation, TokenState},
    stand_in_slack::StandInSlack,
};
use tokio::task::JoinSet;

use super::{
    callers::{Callers, Confirmed},
    tally::{Kind, Reply, Rule, Tally, nothing_fails, the_host_is_away},
};
use crate::{
    app::{ApiClient, AppDatabase, PASSWORD, add_example, bare, log_in, owner_of_acme, program, slack_options},
    audit::log::rows,
};

/// How often each kind of caller is served before a phase is over.
const SERVED: usize = 2;

/// How many people set up.
const PEOPLE: usize = 6;

/// A host under load.
pub(super) struct Day {
    host: Option<Host>,
    database: Option<String>,
    slack: StandInSlack,
    callers: Callers,
    load: JoinSet<()>,
}

/// The service cannot be reached: programs are told so.
fn the_service_is_away(kind: Kind, reply: &Reply) -> bool {
    kind == Kind::Call && reply.status == 502 && reply.code == "unreachable"
}

/// Whose plugin ends under them is told so, and the service calls again.
fn workers_end(kind: Kind, reply: &Reply) -> bool {
    match kind {
        Kind::Setup => reply.status == 200 && reply.says("was not connected"),
        Kind::Webhook => reply.status == 500,
        Kind::Token | Kind::Call | Kind::LogIn | Kind::Probe => false,
    }
}

impl Day {
    /// Begins with a host that serves every kind of caller.
    pub(super) async fn begin(database: Option<String>) -> Result<Self> {
        let slack = StandInSlack::start().await?;
        slack.behave(|behaviour| behaviour.rotation = Rotation::ReuseDetected);
        let host = builder(&slack, database.clone()).start()?;
        let owner = owner_of_acme(&host).await?;
        let installed = owner.install("acme", "slack").await?.dialog()?;
        ensure!(installed.success, "{}", installed.data);
        let page = owner.start_setup("acme", "minting").await?;
        let webhook = page.text.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next());
        let webhook = webhook.context("a URL")?.to_owned();
        ensure!(owner.post("/extensions/minting/setup/", &[]).await?.dialog()?.success);
        let client = ApiClient::of_integration(&host, &installed.data)?;
        let mut people = vec![owner.clone()];
        for number in 1..PEOPLE {
            let email = format!("owner{number}@example.com");
            host.user(&email, PASSWORD)?;
            host.member("acme", &email, "owner")?;
            people.push(log_in(&host, &email).await?);
        }
        let callers = Callers {
            url: host.url.clone(),
            owner,
            people,
            token: client.token.clone(),
            path: client.path.clone(),
            webhook,
            tally: Arc::new(Tally::new()),
            confirmed: Arc::new(Confirmed::default()),
        };
        let mut day = Self { host: Some(host), database, slack, callers, load: JoinSet::new() };
        day.tally().phase("a quiet hour", nothing_fails);
        for kind in [Kind::Setup, Kind::Token, Kind::Call, Kind::LogIn, Kind::Webhook, Kind::Probe] {
            day.load.spawn(day.callers.clone().run(kind));
        }
        day.all_is_well().await?;
        Ok(day)
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.callers.tally
    }

    pub(super) fn host(&self) -> &Host {
        self.host.as_ref().expect("it runs between the phases")
    }

    /// Waits until everybody is served again.
    pub(super) async fn all_is_well(&self) -> Result<()> {
        self.tally().step();
        self.tally().until_all_are_served(SERVED).await?;
        // What the host says of a setup that was refused.
        let refusals = || {
            let log = self.host().log().unwrap_or_default();
            log.lines()
                .filter(|line| line.contains("a setup may not go on"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join("\n")
        };
        self.tally().check().with_context(refusals)
    }

    /// Something happens, and everybody is served again.
    pub(super) async fn phase(
        &self,
        name: &'static str,
        rule: Rule,
        happens: impl AsyncFnOnce(&Self) -> Result<()>,
    ) -> Result<()> {
        self.tally().phase(name, rule);
        happens(self).await.context(name)?;
        self.all_is_well().await.context(name)
    }

    /// What happens on both databases.
    pub(super) async fn everything_else(&mut self) -> Result<()> {
        self.phase("the service is down", the_service_is_away, Self::the_service_is_down).await?;
        self.phase("tokens expire", nothing_fails, async |day| {
            let database = AppDatabase::of(day.host()).await?;
            Ok(database.let_live("T0STANDIN", "bot", time::Duration::seconds(-1)).await?)
        })
        .await?;
        self.phase("workers are killed", workers_end, async |day| {
            for worker in day.host().workers()? {
                kill(worker.pid)?;
            }
            Ok(())
        })
        .await?;
        self.phase("reloads, with a mistake and without", nothing_fails, Self::reloads).await?;
        self.phase("the secret key is replaced", nothing_fails, Self::another_secret_key).await?;
        self.ends("kill -9", "KILL").await?;
        self.ends("a restart", "TERM").await
    }

    async fn the_service_is_down(&self) -> Result<()> {
        self.slack.faults().always(Endpoint::Api, Some(Fault::LostRequest));
        self.tally().until_told(&[Kind::Call], 3).await?;
        self.slack.faults().always(Endpoint::Api, None);
        Ok(())
    }

    async fn reloads(&self) -> Result<()> {
        let good = builder(&self.slack, self.database.clone());
        self.host().reconfigure(&builder(&self.slack, self.database.clone()).toml("[nonsense]\nkey = 1"))?;
        ensure!(!self.host().output(&["reload"])?.0, "a mistake is told");
        self.host().reconfigure(&good)?;
        self.host().run(&["reload"], "")?;
        for _ in 0..20 {
            self.host().signal("HUP")?;
        }
        Ok(())
    }

    async fn another_secret_key(&self) -> Result<()> {
        let file = self.host().folder().join("data/secret.key");
        let former = std::fs::read_to_string(&file)?;
        std::fs::write(&file, format!("0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d\n{former}"))?;
        self.host().run(&["reload"], "")?;
        self.host().run(&["key", "rotate", "--secret-key"], "").map(drop)
    }

    /// The host ends by a signal, in the middle of everything, and starts again.
    pub(super) async fn ends(&mut self, name: &'static str, signal: &str) -> Result<()> {
        self.tally().phase(name, the_host_is_away);
        let host = self.host.take().context("it runs")?;
        let builder = builder(&self.slack, self.database.clone());
        let again = tokio::task::spawn_blocking({
            let is_killed = signal == "KILL";
            move || if is_killed { host.killed_and_restarted(builder) } else { host.restart(builder) }
        });
        self.host = Some(again.await??);
        self.all_is_well().await.context(name)
    }

    /// The host stops cleanly. A copy of its file alone is all that there is.
    pub(super) async fn goes_on_with_a_copy(&mut self) -> Result<()> {
        self.tally().phase("a copy after a clean stop", the_host_is_away);
        let mut host = self.host.take().context("it runs")?;
        host.signal("TERM")?;
        let (code, host) = tokio::task::spawn_blocking(move || host.exit_code().map(|code| (code, host))).await??;
        assert_eq!(code, Some(0));
        let data = host.folder().join("data");
        std::fs::copy(data.join("jackfield.db"), data.join("copy.db"))?;
        self.database = Some("sqlite://data/copy.db".to_owned());
        let builder = builder(&self.slack, self.database.clone());
        self.host = Some(tokio::task::spawn_blocking(move || host.restart(builder)).await??);
        self.all_is_well().await.context("after the copy")
    }

    /// A second host on the same database. It logs into a pipe that nobody reads.
    pub(super) fn second_host(&self) -> Result<Host> {
        let key = std::fs::read_to_string(self.host().folder().join("data/secret.key"))?;
        let unread = r#"mkfifo unread && exec 3<>unread && exec "$0" "$@" 2>&3"#;
        let arguments = ["-c", unread, &program().path.display().to_string()].map(str::to_owned).to_vec();
        let host = HostBuilder::new(Program { path: "/bin/sh".into(), arguments });
        serving(host, &self.slack, self.database.clone()).log("trace").secret_key(key.trim()).start()
    }

    /// Another host serves as well.
    pub(super) async fn is_served_by(&self, other: &Host) -> Result<()> {
        let client = ApiClient::with_token(other, &self.callers.token);
        for number in 0..5 {
            ensure!(client.get(&format!("{}token/", self.callers.path)).await?.status == 200);
            let owner = log_in(other, "owner@example.com").await?;
            add_example(&owner, "acme", &format!("beside {number}")).await?;
        }
        Ok(())
    }

    /// Ends the load, and looks whether anything is lost.
    pub(super) async fn end(mut self) -> Result<()> {
        // Callers who are dropped in the middle have been told nothing.
        self.load.shutdown().await;
        self.tally().check()?;
        println!("{}", self.tally());
        self.all_setups_are_there().await?;
        let confirmed = &self.callers.confirmed;
        let tokens = confirmed.tokens.lock().expect("no caller panics").clone();
        let state = tokens.last().map(|token| self.slack.tokens().state(token));
        assert_eq!(state, Some(TokenState::Live), "of {} tokens", tokens.len());
        let client = ApiClient::with_token(self.host(), &self.callers.token);
        assert_eq!(client.get(&format!("{}token/", self.callers.path)).await?.status, 200);
        let log_ins = rows(self.host())?.into_iter().filter(|row| row["action"] == "log-in" && row["result"] == "ok");
        let (log_ins, answered) = (log_ins.count(), confirmed.log_ins.load(Ordering::Relaxed));
        assert!(log_ins >= answered, "{answered} log-ins, and {log_ins} rows");
        let verified = self.host().run(&["audit", "verify"], "")?;
        assert!(verified.contains("none changed"), "{verified}");
        let checked = self.host().run(&["key", "check"], "")?;
        assert!(checked.contains("every sealed value can be opened"), "{checked}");
        let log = self.host().log()?;
        assert!(!log.contains("panicked"), "{log}");
        Ok(())
    }

    /// Each confirmed setup is an integration, with its row in the audit log.
    async fn all_setups_are_there(&self) -> Result<()> {
        let audited: Vec<String> = rows(self.host())?
            .into_iter()
            .filter(|row| row["action"] == "install" && row["result"] == "ok")
            .filter_map(|row| Some(row["integrationId"].as_str()?.to_owned()))
            .collect();
        let setups = self.callers.confirmed.setups.lock().expect("no caller panics").clone();
        let client = HttpClient::new(&self.callers.url);
        for id in &setups {
            let path = format!("/api/0/organizations/acme/integrations/{id}/");
            let request = client.request(reqwest::Method::GET, &path).bearer_auth(&self.callers.token);
            ensure!(client.send(request).await?.status == 200, "the setup of {id} was confirmed and is lost");
            ensure!(audited.contains(id), "the setup of {id} has no row in the audit log");
        }
        ensure!(setups.len() > 10, "{} setups", setups.len());
        Ok(())
    }
}

fn builder(slack: &StandInSlack, database: Option<String>) -> HostBuilder {
    serving(bare(), slack, database)
}

fn serving(host: HostBuilder, slack: &StandInSlack, database: Option<String>) -> HostBuilder {
    host.plugin("example").plugin("slack").plugin("minting").database(database).toml(&slack_options(slack, "v2"))
}

fn kill(pid: u32) -> Result<()> {
    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status()?;
    ensure!(killed.success(), "kill -9 {pid}");
    Ok(())
}
