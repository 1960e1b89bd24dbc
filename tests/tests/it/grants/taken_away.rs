//! What is taken away is gone with the next request, at every host that has the database, whoever
//! takes it away: the API, or a command in a process of its own. A host keeps nothing in memory
//! that would let anybody in.

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::HttpClient,
    postgres::fresh_database,
    stand_in_slack::StandInSlack,
};
use reqwest::Method;

use crate::app::{ApiClient, PASSWORD, bare, log_in, owner_of_acme, slack_options};

const KEY: &str = "a key that all hosts have, of more than thirty-two characters";
const TOKENS: &str = "/api/0/organizations/acme/tokens/";
const LIST: &str = "/api/0/organizations/acme/integrations/";

/// Hosts with one database, where Slack is installed: one on SQLite, two on PostgreSQL.
struct Hosts {
    all: Vec<Host>,
    owner: HttpClient,
    client: ApiClient,
    _slack: StandInSlack,
}

impl Hosts {
    async fn start(database: Option<String>, count: usize) -> Result<Self> {
        let slack = StandInSlack::start().await?;
        let options = slack_options(&slack, "v2");
        let build =
            || -> HostBuilder { bare().plugin("slack").database(database.clone()).secret_key(KEY).toml(&options) };
        let all = (0..count).map(|_| build().start()).collect::<Result<Vec<_>>>()?;
        let owner = owner_of_acme(&all[0]).await?;
        let installed = owner.install("acme", "slack").await?.dialog()?;
        let client = ApiClient::of_integration(&all[0], &installed.data)?;
        Ok(Self { all, owner, client, _slack: slack })
    }

    /// On each database that is here.
    async fn on_each_database() -> Result<Vec<Self>> {
        let mut found = vec![Self::start(None, 1).await?];
        if let Some(database) = fresh_database() {
            found.push(Self::start(Some(database), 2).await?);
        }
        Ok(found)
    }

    /// What each host answers to the read of a token, a call, and the list.
    async fn answers(&self, client: &ApiClient) -> Result<Vec<[u16; 3]>> {
        let mut answers = Vec::new();
        for host in &self.all {
            let client = client.at(host);
            let token = client.get_token("bot").await?.status;
            let call = client.proxy_get("auth.test").await?.status;
            answers.push([token, call, client.get(LIST).await?.status]);
        }
        Ok(answers)
    }

    async fn assert_all(&self, client: &ApiClient, expected: [u16; 3]) -> Result<()> {
        assert_eq!(self.answers(client).await?, vec![expected; self.all.len()]);
        Ok(())
    }

    /// Another bearer token, and its id.
    async fn another_token(&self) -> Result<(ApiClient, String)> {
        let scopes = ["integrations:token", "integrations:proxy", "org:read"];
        let token = self.all[0].token("acme", &scopes)?.trim().to_owned();
        let listed = self.owner.visit(TOKENS).await?.json()?;
        let ids = listed.as_array().into_iter().flatten().filter_map(|row| row["id"].as_str());
        let id = ids.max_by_key(|id| id.parse::<u64>().unwrap_or(0)).context("it is listed")?;
        let mut client = self.client.clone();
        client.token = token;
        Ok((client, id.to_owned()))
    }

    async fn delete(&self, path: &str) -> Result<u16> {
        let request = self.owner.request(Method::DELETE, path);
        Ok(self.owner.send(request).await?.status)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_opens_nothing_with_the_next_request_at_every_host() -> Result<()> {
    for hosts in Hosts::on_each_database().await? {
        let (by_api, id) = hosts.another_token().await?;
        hosts.assert_all(&by_api, [200; 3]).await?;
        assert_eq!(hosts.delete(&format!("{TOKENS}{id}/")).await?, 204);
        hosts.assert_all(&by_api, [401; 3]).await?;

        let (by_command, id) = hosts.another_token().await?;
        hosts.assert_all(&by_command, [200; 3]).await?;
        hosts.all[0].run(&["token", "revoke", "acme", &id], "")?;
        hosts.assert_all(&by_command, [401; 3]).await?;
        hosts.assert_all(&hosts.client, [200; 3]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_sees_nothing_with_the_next_request_at_every_host() -> Result<()> {
    for hosts in Hosts::on_each_database().await? {
        let email = "member@example.com";
        hosts.all[0].user(email, PASSWORD)?;
        hosts.all[0].member("acme", email, "member")?;
        let mut sessions = Vec::new();
        for host in &hosts.all {
            sessions.push(log_in(host, email).await?);
        }
        for member in &sessions {
            assert_eq!(member.visit(LIST).await?.status, 200);
        }
        hosts.all[0].run(&["member", "remove", "acme", email], "")?;
        for member in &sessions {
            assert_eq!(member.visit(LIST).await?.status, 404);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_integration_is_not_lent_with_the_next_request_at_any_host() -> Result<()> {
    for hosts in Hosts::on_each_database().await? {
        hosts.assert_all(&hosts.client, [200; 3]).await?;
        hosts.all[0].run(&["revoke", "--provider", "slack", "--yes"], "")?;
        hosts.assert_all(&hosts.client, [404, 404, 200]).await?;
    }
    for hosts in Hosts::on_each_database().await? {
        hosts.assert_all(&hosts.client, [200; 3]).await?;
        assert_eq!(hosts.delete(&hosts.client.path).await?, 204);
        hosts.assert_all(&hosts.client, [404, 404, 200]).await?;
    }
    Ok(())
}
