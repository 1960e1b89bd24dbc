//! What one organization may see and do of another: all routes and commands, each with a row that
//! says whom it serves. A route or command without a row fails the test, so that nobody adds one
//! without an answer to the question.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
};
use jackfield_tidy::root;
use reqwest::Method;

use super::two_organizations::{ALICE, TwoOrganizations};
use crate::app::ApiClient;

/// Whom a route serves, and so how it is walked.
#[derive(Clone, Copy, PartialEq)]
enum Serves {
    /// An organization that the path names. Who is not of it gets 404.
    Organization,
    /// The same, of one integration. One that the organization does not have is 404, and one that
    /// it shares shows nothing of the other organization.
    Integration,
    /// The person who is logged in, and shows no other.
    Person,
    /// Who has the session of a setup, the token of a connect session, or the key or signature of a
    /// service: `own_grants` has the tests about events, `attacks` those about other people's
    /// setups, `connect` those about other people's sessions.
    Holder,
    /// Everybody, with the same for all.
    Everybody,
}

#[rustfmt::skip]
const ROUTES: [(&str, &str, Serves); 86] = [
    ("GET", "/api/0/organizations/{org}/config/integrations/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/audit/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/integrations/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/integrations/{id}/", Serves::Integration),
    ("DELETE", "/api/0/organizations/{org}/integrations/{id}/", Serves::Integration),
    ("GET", "/api/0/organizations/{org}/integrations/{id}/grants/", Serves::Integration),
    ("GET", "/api/0/organizations/{org}/integrations/{id}/token/", Serves::Integration),
    ("GET", "/api/0/organizations/{org}/revocations/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/settings/", Serves::Organization),
    ("PATCH", "/api/0/organizations/{org}/settings/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/tokens/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/tokens/", Serves::Organization),
    ("DELETE", "/api/0/organizations/{org}/tokens/{id}/", Serves::Organization),
    ("GET", "/", Serves::Person),
    ("GET", "/auth/login/", Serves::Everybody),
    ("POST", "/auth/login/", Serves::Everybody),
    ("POST", "/auth/logout/", Serves::Person),
    ("GET", "/account/", Serves::Person),
    ("POST", "/account/identities/{id}/unlink/", Serves::Person),
    ("GET", "/organizations/{org}/audit/", Serves::Organization),
    ("GET", "/organizations/{org}/settings/", Serves::Organization),
    ("POST", "/organizations/{org}/settings/", Serves::Organization),
    ("POST", "/organizations/{org}/settings/logo/", Serves::Organization),
    ("GET", "/organizations/{org}/integrations/", Serves::Organization),
    ("GET", "/organizations/{org}/integrations/{id}/", Serves::Integration),
    ("POST", "/organizations/{org}/integrations/{id}/", Serves::Integration),
    ("GET", "/organizations/{org}/integrations/{id}/remove/", Serves::Integration),
    ("POST", "/organizations/{org}/integrations/{id}/remove/", Serves::Integration),
    ("GET", "/organizations/{org}/integrations/{provider}/setup/", Serves::Organization),
    ("POST", "/organizations/{org}/integrations/{provider}/setup/", Serves::Organization),
    ("GET", "/extensions/{provider}/setup/", Serves::Holder),
    ("POST", "/extensions/{provider}/setup/", Serves::Holder),
    ("GET", "/extensions/{provider}/setup/{server}/", Serves::Holder),
    ("POST", "/extensions/{provider}/setup/{server}/", Serves::Holder),
    ("ANY", "/api/0/organizations/{org}/integrations/{id}/proxy/", Serves::Integration),
    ("ANY", "/api/0/organizations/{org}/integrations/{id}/proxy/{*path}", Serves::Integration),
    ("GET", "/api/errors/", Serves::Everybody),
    ("GET", "/healthz", Serves::Everybody),
    ("GET", "/readyz", Serves::Everybody),
    ("ANY", "/extensions/{provider}/webhook/{key}/", Serves::Holder),
    ("ANY", "/extensions/{provider}/events/", Serves::Holder),
    ("GET", "/extensions/{provider}/leaving/", Serves::Everybody),
    ("GET", "/icons/{provider}/{version}", Serves::Everybody),
    ("GET", "/logos/{organization}/{version}", Serves::Everybody),
    ("GET", "/accents/{file}", Serves::Everybody),
    ("GET", "/api/0/organizations/{org}/connect-sessions/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/connect-sessions/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/connect-sessions/{id}/", Serves::Organization),
    ("DELETE", "/api/0/organizations/{org}/connect-sessions/{id}/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/connect-sessions/{id}/step/", Serves::Organization),
    ("GET", "/connect/sessions/{id}/continue/{provider}/", Serves::Holder),
    ("GET", "/organizations/{org}/connect-links/", Serves::Organization),
    ("POST", "/organizations/{org}/connect-links/", Serves::Organization),
    ("POST", "/organizations/{org}/connect-links/{id}/end/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/events/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/endpoints/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/endpoints/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/endpoints/{id}/", Serves::Organization),
    ("PATCH", "/api/0/organizations/{org}/endpoints/{id}/", Serves::Organization),
    ("DELETE", "/api/0/organizations/{org}/endpoints/{id}/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/endpoints/{id}/rotate/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/endpoints/{id}/test/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/endpoints/{id}/redeliver/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/endpoints/{id}/deliveries/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/endpoints/{id}/deliveries/{event}/redeliver/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/received-events/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/received-events/replay/", Serves::Organization),
    ("POST", "/api/0/organizations/{org}/received-events/{event}/replay/", Serves::Organization),
    ("GET", "/api/0/organizations/{org}/integrations/{id}/webhooks/", Serves::Integration),
    ("POST", "/api/0/organizations/{org}/integrations/{id}/webhooks/", Serves::Integration),
    ("PUT", "/api/0/organizations/{org}/integrations/{id}/webhooks/{webhook}/", Serves::Integration),
    ("DELETE", "/api/0/organizations/{org}/integrations/{id}/webhooks/{webhook}/", Serves::Integration),
    ("GET", "/organizations/{org}/endpoints/", Serves::Organization),
    ("POST", "/organizations/{org}/endpoints/", Serves::Organization),
    ("GET", "/organizations/{org}/endpoints/{id}/", Serves::Organization),
    ("POST", "/organizations/{org}/endpoints/{id}/{action}/", Serves::Organization),
    ("POST", "/organizations/{org}/endpoints/{id}/deliveries/{event}/", Serves::Organization),
    ("GET", "/connect/{token}/", Serves::Holder),
    ("GET", "/connect/{token}/status/", Serves::Holder),
    ("POST", "/connect/{token}/providers/{provider}/", Serves::Holder),
    ("POST", "/connect/{token}/log-in/", Serves::Holder),
    ("GET", "/connect/log-in/", Serves::Holder),
    ("GET", "/connect/sessions/{id}/closed/", Serves::Holder),
    ("POST", "/connect/sessions/{id}/providers/{provider}/", Serves::Holder),
    ("GET", "/connect/jackfield-connect.js", Serves::Everybody),
    ("GET", "/connect/jackfield-connect.d.ts", Serves::Everybody),
];

/// Beside those above: a file of the host's own.
const STATIC: (&str, &str, Serves) = ("GET", "/static/{version}/{file}", Serves::Everybody);

/// What a command concerns. All of them are the operator's, who may see everything.
#[derive(Clone, Copy, PartialEq)]
enum Concerns {
    /// The host, its keys, its plugins, or one new row.
    Host,
    /// With `--organization`, or a slug, one organization: its test says that no other changes.
    Organization(&'static str),
}

#[rustfmt::skip]
const COMMANDS: [(&str, Concerns); 14] = [
    ("serve", Concerns::Host),
    ("reload", Concerns::Host),
    ("revoke", Concerns::Organization("an_operator_revokes_what_one_organization_has_and_nothing_of_the_other")),
    ("migrate", Concerns::Host),
    ("config", Concerns::Host),
    ("user", Concerns::Host),
    ("org", Concerns::Host),
    ("inbox", Concerns::Host),
    ("member", Concerns::Host),
    ("token", Concerns::Host),
    ("key", Concerns::Host),
    ("audit", Concerns::Organization("the_operator_s_log_of_one_organization_has_nothing_of_another")),
    ("provider", Concerns::Host),
    ("plugin", Concerns::Host),
];

/// Method and pattern of each route, as the host's table of them has it.
fn routes_of_the_host() -> Result<BTreeSet<(String, String)>> {
    let source = std::fs::read_to_string(root().join("host/server/src/web/routes.rs"))?;
    let mut found = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let pattern = route.split('"').nth(1).context("a pattern")?;
        let handlers = route.split_once(',').context("a handler")?.1;
        let handlers = handlers.split(".route(").next().unwrap_or_default();
        for method in ["get", "post", "put", "patch", "delete", "any"] {
            let is_there = handlers.match_indices(&format!("{method}(")).any(|(at, _)| {
                !handlers[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
            });
            if is_there {
                found.insert((method.to_uppercase(), pattern.to_owned()));
            }
        }
    }
    Ok(found)
}

fn rows() -> impl Iterator<Item = (&'static str, &'static str, Serves)> {
    ROUTES.into_iter().chain([STATIC])
}

#[test]
fn every_route_has_a_row_that_says_whom_it_serves() -> Result<()> {
    let rows: BTreeSet<_> = rows().map(|(method, route, _)| (method.to_owned(), route.to_owned())).collect();
    assert_eq!(routes_of_the_host()?, rows);
    for (method, route, serves) in ROUTES {
        let is_of_organization = matches!(serves, Serves::Organization | Serves::Integration);
        assert_eq!(is_of_organization, route.contains("{org}"), "{method} {route}");
    }
    Ok(())
}

#[test]
fn every_command_has_a_row_that_says_what_it_concerns() -> Result<()> {
    let folder = crate::app::bare().folder_only();
    let help = String::from_utf8(folder.run(&["--help"])?.stdout)?;
    let listed = help.split_once("Commands:").context("a list")?.1.split("\n\n").next().unwrap_or_default();
    let listed: BTreeSet<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let rows: BTreeSet<_> = COMMANDS.iter().map(|(command, _)| *command).chain(["help"]).collect();
    assert_eq!(listed, rows);
    let tests = ["own_grants.rs", "matrix.rs"].map(|file| root().join("tests/tests/it/organizations").join(file));
    let tests = tests.iter().map(std::fs::read_to_string).collect::<Result<String, _>>()?;
    for (command, concerns) in COMMANDS {
        if let Concerns::Organization(test) = concerns {
            assert!(tests.contains(&format!("fn {test}(")), "{command}");
        }
    }
    Ok(())
}

/// The app, and what `acme` has that `globex` must not see.
struct Walk {
    app: TwoOrganizations,
    /// An integration of `acme` alone, and the one that both have.
    own: String,
    shared: String,
    /// Texts that only `acme` may read.
    secrets: Vec<String>,
}

impl Walk {
    async fn new(database: Option<String>) -> Result<Self> {
        let app = TwoOrganizations::connected(database).await?;
        app.alice.start_setup("acme", "example").await?;
        let own = app.alice.post("/extensions/example/setup/", &[("name", "Only of acme")]).await?.dialog()?;
        let own = own.data["id"].as_str().context("an id")?.to_owned();
        let shared = app.acme.path.rsplit('/').nth(1).context("an id")?.to_owned();
        let token = app.token_of(&app.acme, "user", ALICE).await?.context("a token of hers")?;
        let mut secrets = ["acme", "alice", ALICE, "Only of acme"].map(str::to_owned).to_vec();
        secrets.push(token);
        Ok(Self { app, own, shared, secrets })
    }

    fn assert_silent(&self, response: &HttpResponse, request: &str) {
        for secret in &self.secrets {
            assert!(!response.text.contains(secret), "{request} tells {secret}: {}", response.text);
        }
    }
}

/// A route with its places filled.
fn filled(route: &str, organization: &str, integration: &str) -> String {
    let filled = route.replace("{org}", organization).replace("{id}", integration).replace("{provider}", "slack");
    filled
        .replace("{*path}", "auth.test")
        .replace("{key}", "no-key")
        .replace("{token}", "jfc_none")
        .replace("{event}", "evt_1")
        .replace("{action}", "test")
        .replace("{webhook}", "1")
        .replace("{organization}", organization)
        .replace("{version}", "0")
        .replace("{file}", "x")
        .replace("{server}", "x")
}

fn method(name: &str) -> Result<Method> {
    Ok(if name == "ANY" { Method::GET } else { name.parse()? })
}

async fn as_person(person: &HttpClient, name: &str, path: &str) -> Result<HttpResponse> {
    let request = person.request(method(name)?, path);
    let request = match name {
        "POST" if !path.starts_with("/api/") => request.form(&[("x", "y")]),
        "POST" | "PUT" | "PATCH" => request.json(&serde_json::json!({"secret": "of a service"})),
        _ => request,
    };
    person.send(request).await
}

async fn as_program(program: &ApiClient, name: &str, path: &str) -> Result<HttpResponse> {
    let request = program.request(method(name)?, path);
    program
        .send(if name == "POST" || name == "PUT" {
            request.json(&serde_json::json!({"secret": "of a service"}))
        } else {
            request
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_an_organization_that_they_are_not_of() -> Result<()> {
    for database in databases() {
        let walk = Walk::new(database).await?;
        let app = &walk.app;
        for (name, route, _) in ROUTES.into_iter().filter(|(_, route, _)| route.contains("{org}")) {
            for integration in [&walk.own, &walk.shared] {
                let path = filled(route, "acme", integration);
                let said = as_program(&app.globex, name, &path).await?;
                // Pages are for people: a program is sent to the log-in, or refused.
                let is_refused = said.status == 404 || (said.status >= 300 && !path.starts_with("/api/"));
                ensure!(is_refused, "{name} {path} as globex's program: {}", said.status);
                for (who, person) in [("bob", &app.bob), ("carol", &app.carol)] {
                    let said = as_person(person, name, &path).await?;
                    ensure!(said.status == 404, "{name} {path} as {who}: {}", said.status);
                    walk.assert_silent_but_path(&said, &path);
                }
                let path = filled(route, "globex", integration);
                let said = as_person(&app.alice, name, &path).await?;
                ensure!(said.status == 404, "{name} {path} as alice: {}", said.status);
            }
        }
        walk.assert_all_is_there().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_of_another_organization_is_not_there() -> Result<()> {
    for database in databases() {
        let walk = Walk::new(database).await?;
        let app = &walk.app;
        for (name, route, _) in ROUTES.into_iter().filter(|(_, _, serves)| *serves == Serves::Integration) {
            let path = filled(route, "globex", &walk.own);
            if path.starts_with("/api/") {
                let said = as_program(&app.globex, name, &path).await?;
                ensure!(said.status == 404, "{name} {path}: {}", said.status);
                walk.assert_silent(&said, &path);
            }
            for (who, person) in [("bob", &app.bob), ("carol", &app.carol)] {
                let said = as_person(person, name, &path).await?;
                // 403: what the role may not do at all is refused before anything is looked up.
                ensure!([403, 404].contains(&said.status), "{name} {path} as {who}: {}", said.status);
                walk.assert_silent(&said, &path);
            }
        }
        let setup = format!("/organizations/globex/integrations/example/setup/?integration={}", walk.own);
        ensure!(app.bob.visit(&setup).await?.status == 404, "nor can it be authenticated again");
        walk.assert_all_is_there().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_that_both_have_shows_neither_the_other() -> Result<()> {
    for database in databases() {
        let walk = Walk::new(database).await?;
        let app = &walk.app;
        let of_organization = ROUTES
            .into_iter()
            .filter(|(name, route, _)| *name != "POST" && *name != "DELETE" && route.contains("{org}"));
        for (name, route, _) in of_organization {
            let path = filled(route, "globex", &walk.shared);
            if path.starts_with("/api/") {
                let said = as_program(&app.globex, name, &path).await?;
                ensure!(said.status < 500, "{name} {path}: {}", said.status);
                walk.assert_silent(&said, &path);
                if path.ends_with("/token/") {
                    let named = as_program(&app.globex, name, &format!("{path}?grant=user&subject={ALICE}")).await?;
                    ensure!(named.status == 404, "{path} with a name: {}", named.status);
                }
            }
            for person in [&app.bob, &app.carol] {
                let said = as_person(person, name, &path).await?;
                ensure!(said.status < 500, "{name} {path}: {}", said.status);
                walk.assert_silent(&said, &path);
            }
        }
        // What changes something changes the other's nothing.
        for (name, route, _) in ROUTES.into_iter().filter(|(_, _, serves)| *serves == Serves::Integration) {
            if name == "POST" || name == "DELETE" {
                let path = filled(route, "globex", &walk.shared);
                ensure!(as_person(&app.carol, name, &path).await?.status == 403, "{name} {path} as carol");
                ensure!(as_person(&app.bob, name, &path).await?.status < 500, "{name} {path} as bob");
            }
        }
        walk.assert_all_is_there().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serves_a_person_or_everybody_shows_no_other_organization() -> Result<()> {
    for database in databases() {
        let walk = Walk::new(database).await?;
        let app = &walk.app;
        let identities = app.database().await?.identities("alice@example.com").await?;
        ensure!(identities.len() == 1, "her account at Slack is linked");
        for (name, route, serves) in
            rows().filter(|(_, route, _)| !route.contains("{org}") && *route != "/auth/logout/")
        {
            // Ids are small numbers: hers is among the first.
            for id in ["1", "2"] {
                let path = filled(route, "", id);
                // His own identity is his to unlink.
                if route.contains("unlink") && id == "2" {
                    continue;
                }
                for person in [&app.bob, &app.carol] {
                    let said = as_person(person, name, &path).await?;
                    ensure!(said.status < 500, "{name} {path}: {}", said.status);
                    if serves != Serves::Everybody {
                        walk.assert_silent(&said, &path);
                    }
                }
            }
        }
        let after = app.database().await?.identities("alice@example.com").await?;
        ensure!(after.len() == 1, "nobody else has unlinked it");
        walk.assert_all_is_there().await?;
    }
    Ok(())
}

impl Walk {
    /// A refusal may repeat the path that was asked for.
    fn assert_silent_but_path(&self, response: &HttpResponse, path: &str) {
        for secret in self.secrets.iter().filter(|secret| !path.contains(secret.as_str())) {
            assert!(!response.text.contains(secret), "{path} tells {secret}: {}", response.text);
        }
    }

    /// Nothing of what `acme` has is changed.
    async fn assert_all_is_there(&self) -> Result<()> {
        let app = &self.app;
        let token = app.token_of(&app.acme, "user", ALICE).await?;
        ensure!(token.as_deref() == self.secrets.last().map(String::as_str), "her token is as it was");
        ensure!(app.token_of(&app.acme, "bot", "").await?.is_some(), "and the bot's is lent to acme");
        let listed = app.acme.get("/api/0/organizations/acme/integrations/").await?.json()?;
        ensure!(listed.as_array().map(Vec::len) == Some(2), "{listed}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_s_log_of_one_organization_has_nothing_of_another() -> Result<()> {
    for database in databases() {
        let walk = Walk::new(database).await?;
        let log = walk.app.host.run(&["audit", "list", "--organization", "globex"], "")?;
        for secret in [ALICE, "Only of acme", "acme"] {
            ensure!(!log.contains(secret), "{secret}: {log}");
        }
        ensure!(log.contains("globex"), "{log}");
    }
    Ok(())
}
