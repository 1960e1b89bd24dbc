//! Tokens over time: they end, their last use is noted to the minute, and those from before an
//! upgrade go on working.

use anyhow::{Context, Result};
use jackfield_config::clock::Clock;
use jackfield_services::accounts::{Accounts, Administrator, NewTokenIn, Scope};
use jackfield_store::{
    IntegrationId, Store,
    api_tokens::{self, NewApiToken},
    grants::{self, NewGrant, NewTokens, Scopes, Tokens},
    token_grants,
};
use sha2::{Digest, Sha256};
use time::Duration;

use super::tables::{NOW, each_database, install, organization, workspace};

/// Accounts by a clock of the test's own.
fn accounts(store: &Store) -> (Accounts, Store, Clock) {
    let clock = Clock::fixed(NOW);
    let store = store.clone().with_clock(clock.clone());
    (Accounts::new(store.clone(), clock.clone()), store, clock)
}

fn new(scope: Scope) -> NewTokenIn {
    NewTokenIn { name: "t".to_owned(), scopes: vec![scope], ..NewTokenIn::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_at_its_time_and_its_last_use_is_noted_to_the_minute() -> Result<()> {
    for database in each_database().await? {
        let (accounts, _, clock) = accounts(&database.store);
        let acme = accounts.create_organization("acme", "Acme", None).await?.id;
        let lives = NewTokenIn { expires_at: Some(NOW + Duration::hours(1)), ..new(Scope::OrgRead) };
        let (token, made) = accounts.tokens().create(acme, lives, &Administrator::Operator).await?;
        assert_eq!(made.last_used_at, None);
        let last_use = async || {
            let all = accounts.tokens().list(acme).await?;
            anyhow::Ok(all.first().context("it is listed")?.last_used_at)
        };
        assert!(accounts.token_access(&token).await?.is_some());
        assert_eq!(last_use().await?, Some(NOW));
        clock.advance(Duration::seconds(59));
        assert!(accounts.token_access(&token).await?.is_some());
        assert_eq!(last_use().await?, Some(NOW), "not for each request");
        clock.advance(Duration::seconds(1));
        assert!(accounts.token_access(&token).await?.is_some());
        assert_eq!(last_use().await?, Some(NOW + Duration::MINUTE));
        clock.advance(Duration::minutes(59) - Duration::MILLISECOND);
        assert!(accounts.token_access(&token).await?.is_some());
        clock.advance(Duration::MILLISECOND);
        assert_eq!(accounts.token_access(&token).await?, None, "it has ended");
        assert_eq!(accounts.tokens().list(acme).await?.len(), 1, "and is still listed");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_from_before_has_no_checksum_and_keeps_both_rights() -> Result<()> {
    for database in each_database().await? {
        let (accounts, store, _) = accounts(&database.store);
        let acme = accounts.create_organization("acme", "Acme", None).await?.id;
        let token = |n: u8| format!("jf_{}-_{n}", "A".repeat(40));
        for (n, scopes) in [(1, vec!["integrations:token", "org:read"]), (2, vec!["org:read"])] {
            let row = NewApiToken {
                organization: acme,
                name: "old".to_owned(),
                hash: Sha256::digest(token(n)).to_vec(),
                hint: String::new(),
                scopes: scopes.into_iter().map(str::to_owned).collect(),
                created_by: String::new(),
                integrations: None,
                expires_at: None,
            };
            store.write(move |tx| api_tokens::insert(tx, &row)).await?;
        }
        let may = async |n: u8| {
            let access = accounts.token_access(&token(n)).await?.context("it opens")?;
            anyhow::Ok((access.has(Scope::IntegrationsToken), access.has(Scope::IntegrationsProxy)))
        };
        assert_eq!((may(1).await?, may(2).await?), ((true, true), (false, false)));
        let made = accounts.create_token("acme", "new", &[Scope::IntegrationsProxy]).await?;
        let access = accounts.token_access(&made).await?.context("it opens")?;
        assert!(!access.has(Scope::IntegrationsToken), "who may call may not read");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_for_what_is_connected_later_and_what_is_gone_opens_nothing() -> Result<()> {
    for database in each_database().await? {
        let (accounts, store, _) = accounts(&database.store);
        accounts.create_organization("acme", "Acme", None).await?;
        let acme = accounts.organization("acme").await?.id;
        let first = install(&store, acme, workspace("T1", "one", "x")).await?;
        let limited = NewTokenIn { integrations: Some(vec![first]), ..new(Scope::OrgRead) };
        let (token, _) = accounts.tokens().create(acme, limited, &Administrator::Operator).await?;
        let later = install(&store, acme, workspace("T2", "two", "y")).await?;
        let access = accounts.token_access(&token).await?.context("it opens")?;
        assert_eq!((access.may_use(first), access.may_use(later)), (true, false));
        store.tamper("DELETE FROM integrations WHERE external_id = 'T1'").await?;
        let access = accounts.token_access(&token).await?.context("it opens")?;
        assert_eq!((access.limit().map(<[_]>::len), access.may_use(later)), (Some(1), false), "no limit is lost");
    }
    Ok(())
}

fn grant(name: &str, subject: &str, is_of_account: bool) -> NewGrant {
    let (tokens, scopes) = (Tokens::default(), Scopes::default());
    let new = NewTokens { tokens, scopes, expires_at: None, due_at: None, is_single_use: None };
    NewGrant { name: name.to_owned(), subject: subject.to_owned(), is_of_account, new }
}

/// Names and subjects of the grants that a token opens of an integration; `None`: its organization
/// does not have it.
async fn opened(store: &Store, token: &str, id: IntegrationId) -> Result<Option<Vec<(String, String)>>> {
    let hash = Sha256::digest(token);
    let found = store.read(move |tx| token_grants::by_hash(tx, &hash, id)).await?.context("the token is there")?;
    let Some(has) = found.integration else { return Ok(None) };
    let organization = has.organization;
    assert_eq!((organization, has.integration, &*has.provider), (found.organization.id, id, "slack"));
    let alone = store.read(move |tx| grants::of_organization(tx, organization, id)).await?.context("it is linked")?;
    let ids = |grants: &[grants::Grant]| grants.iter().map(|grant| grant.id).collect::<Vec<_>>();
    assert_eq!(ids(&has.grants), ids(&alone), "as they are read without a token");
    Ok(Some(has.grants.into_iter().map(|grant| (grant.name, grant.subject)).collect()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_grants_of_its_organization_and_no_others() -> Result<()> {
    for database in each_database().await? {
        let (accounts, store, _) = accounts(&database.store);
        let (acme, other) = (organization(&store, "acme").await?, organization(&store, "other").await?);
        let mut tokens = Vec::new();
        for id in [acme, other] {
            tokens.push(accounts.tokens().create(id, new(Scope::OrgRead), &Administrator::Operator).await?.0);
        }
        let shared = install(&store, acme, workspace("T1", "One", "t")).await?;
        install(&store, other, workspace("T1", "One", "t")).await?;
        let own = install(&store, acme, workspace("T2", "Two", "t")).await?;
        let brought = vec![grant("user", "U1", false), grant("bot", "", true)];
        store.write(move |tx| grants::put(tx, shared, acme, brought).map(drop)).await?;
        let of_other = vec![grant("user", "U2", false)];
        store.write(move |tx| grants::put(tx, shared, other, of_other).map(drop)).await?;
        let named = |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(opened(&store, &tokens[0], shared).await?, Some(named(&[("user", "U1"), ("bot", "")])));
        assert_eq!(
            opened(&store, &tokens[1], shared).await?,
            Some(named(&[("user", "U2")])),
            "nobody lends it the bot"
        );
        assert_eq!(opened(&store, &tokens[0], own).await?, Some(Vec::new()), "it has no grants");
        assert_eq!(opened(&store, &tokens[1], own).await?, None);
        let unknown = Sha256::digest("unknown");
        assert!(store.read(move |tx| token_grants::by_hash(tx, &unknown, own)).await?.is_none());
    }
    Ok(())
}
