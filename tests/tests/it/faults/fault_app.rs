//! A host whose database a test breaks and mends, and what callers are told meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::{HttpClient, HttpResponse},
};
use reqwest::Method;

use crate::app::{ApiClient, PASSWORD, add_example, owner_of_acme};

/// How long a probe is waited for. The host answers within two seconds; the rest is for a slow
/// machine.
const PROBE: Duration = Duration::from_secs(5);

/// How long any request is waited for that needs the database.
const REQUEST: Duration = Duration::from_secs(15);

/// How long the host may take to notice.
const NOTICE: Duration = Duration::from_secs(60);

pub(super) struct FaultApp {
    pub(super) host: Host,
    pub(super) owner: HttpClient,
    /// With the right to read tokens of the integration.
    pub(super) client: ApiClient,
    anybody: HttpClient,
}

/// An answer that says that the database cannot be used.
const UNAVAILABLE: u16 = 503;

impl FaultApp {
    /// A host with Example, an owner and one integration.
    pub(super) async fn start(builder: HostBuilder) -> Result<Self> {
        let host = builder.plugin("example").start()?;
        let owner = owner_of_acme(&host).await?;
        let id = add_example(&owner, "acme", "Alpha").await?;
        let client = ApiClient::of_integration(&host, &serde_json::json!({ "id": id }))?;
        let anybody = HttpClient::new(&host.url);
        Ok(Self { host, owner, client, anybody })
    }

    /// Status and words of `/readyz`.
    pub(super) async fn readyz(&self) -> Result<(u16, String)> {
        let answer = self.anybody.send(self.anybody.request(Method::GET, "/readyz").timeout(PROBE)).await?;
        Ok((answer.status, answer.text))
    }

    /// Waits until `/readyz` says so.
    pub(super) async fn until_readyz(&self, status: u16, words: &str) -> Result<()> {
        let until = Instant::now() + NOTICE;
        loop {
            let said = self.readyz().await?;
            if (said.0, said.1.as_str()) == (status, words) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "it stays at {said:?}; the log:\n{}", self.host.log()?);
        }
    }

    /// One request of every kind that needs the database.
    pub(super) async fn of_every_kind(&self) -> Result<Vec<(&'static str, HttpResponse)>> {
        let (owner, client, anybody) = (&self.owner, &self.client, &self.anybody);
        let form = |email| [("email", email), ("password", PASSWORD)];
        let setup = "/extensions/example/setup/";
        let requests = [
            ("page", owner, owner.request(Method::GET, "/organizations/acme/integrations/")),
            ("log-in", anybody, anybody.request(Method::POST, "/auth/login/").form(&form("owner@example.com"))),
            ("start", owner, owner.request(Method::GET, "/organizations/acme/integrations/example/setup/")),
            ("step", owner, owner.request(Method::POST, setup).form(&[("name", "Beta")])),
            ("callback", owner, owner.request(Method::GET, "/extensions/example/setup/?code=c&state=s")),
            ("webhook", anybody, anybody.request(Method::POST, "/extensions/example/webhook/key/").body("{}")),
            ("list", anybody, client.request(Method::GET, "/api/0/organizations/acme/integrations/")),
            ("integration", anybody, client.request(Method::GET, &client.path)),
            ("token", anybody, client.request(Method::GET, &format!("{}token/", client.path))),
            ("proxy", anybody, client.proxy_request(Method::GET, "users/me")),
        ];
        let all = requests.map(|(kind, from, request)| async move {
            let answer = from.send(request.timeout(REQUEST)).await;
            Ok((kind, answer.with_context(|| kind)?))
        });
        futures_util::future::join_all(all).await.into_iter().collect()
    }

    /// Asserts that all of them are told so, in a page or in JSON, and when to ask again.
    pub(super) async fn assert_all_are_told(&self, words: &str) -> Result<()> {
        for (kind, answer) in self.of_every_kind().await? {
            ensure!(answer.status == UNAVAILABLE, "{kind}: {} {}", answer.status, answer.text);
            let seconds: u64 = answer.header("retry-after").parse().with_context(|| kind)?;
            ensure!((1..=60).contains(&seconds), "{kind}: {seconds}");
            ensure!(answer.text.contains(words), "{kind}: {}", answer.text);
            if matches!(kind, "list" | "integration" | "token" | "proxy") {
                assert_eq!(answer.header("content-type"), "application/problem+json", "{kind}");
                assert_eq!(answer.json()?["code"], "database-unavailable", "{kind}");
            } else {
                assert!(answer.header("content-type").starts_with("text/html"), "{kind}");
            }
        }
        Ok(())
    }

    /// Asserts that everything is served again.
    pub(super) async fn assert_all_is_well(&self) -> Result<()> {
        for (kind, answer) in self.of_every_kind().await? {
            // There is neither such a webhook, nor a grant.
            let expected = match kind {
                "webhook" | "token" | "proxy" => 404,
                "log-in" | "step" | "callback" => answer.status.min(302),
                "start" => 302,
                _ => 200,
            };
            ensure!(answer.status == expected, "{kind}: {} {}", answer.status, answer.text);
        }
        add_example(&self.owner, "acme", "Beta").await.map(drop)
    }

    /// How many lines of the log have a text.
    pub(super) fn lines(&self, text: &str) -> Result<usize> {
        Ok(self.host.log()?.lines().filter(|line| line.contains(text)).count())
    }

    /// How many threads the host has.
    pub(super) fn threads(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/task", self.host.pid()))?.count())
    }
}
