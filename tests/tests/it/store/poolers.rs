//! Hosts behind PgBouncer in transaction mode, where two statements of one client can reach two
//! connections of the server, and hosts that reach PostgreSQL themselves.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use jackfield_config::SecretKeys;
use jackfield_store::{Sealer, Store, organizations};
use jackfield_test_support::{
    host::HostBuilder,
    pgbouncer::PgBouncer,
    postgres::{fresh_database, sql},
    stand_in::{Endpoint::Refresh, Rotation},
    stand_in_slack::StandInSlack,
};

use crate::app::{ApiClient, AppDatabase, bare, owner_of_acme, slack_options};

const KEY: &str = "Yk3v9QmZ1tR7uW5xB8nC2dF6gH4jL0pS";

const TEAM: &str = "T0STANDIN";

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_behind_pgbouncer_in_transaction_mode_do_all_of_their_work() -> Result<()> {
    let Some(bouncer) = PgBouncer::before_fresh_database() else { return Ok(()) };
    let slack = StandInSlack::start().await?;
    slack.behave(|behaviour| behaviour.rotation = Rotation::ReuseDetected);
    let limits = "pool-size = 6\nstatement-timeout = 20\napplication-name = \"behind the pooler\"\n";
    let toml = format!("{limits}{}", slack_options(&slack, "v2"));
    let build = || -> HostBuilder { bare().plugin("slack").database(Some(bouncer.url())).secret_key(KEY).toml(&toml) };
    let (one, two) = (build().start()?, build().start()?);
    let owner = owner_of_acme(&one).await?;
    let installed = owner.install("acme", "slack").await?.dialog()?;
    assert!(installed.success, "{:?}", installed.data);
    let client = ApiClient::of_integration(&one, &installed.data)?;

    // More callers than the pooler has connections, on both hosts.
    AppDatabase::of(&one).await?.let_live(TEAM, "bot", time::Duration::seconds(-1)).await?;
    let callers: Vec<ApiClient> = (0..16).flat_map(|_| [client.at(&one), client.at(&two)]).collect();
    let tokens = try_join_all(callers.iter().map(|caller| caller.access_token("bot"))).await?;
    assert_eq!(slack.faults().requests(Refresh), 1, "two hosts refresh once");
    assert!(tokens.iter().all(|token| *token == tokens[0]));

    for command in [&["key", "rotate"][..], &["key", "rotate", "--secret-key"], &["key", "check"], &["audit", "verify"]]
    {
        two.run(command, "")?;
    }
    assert_eq!(client.at(&two).access_token("bot").await?, tokens[0], "it is opened under the new key");
    assert!(one.run(&["revoke", "--provider", "slack", "--yes"], "")?.contains("revoked            "));
    for host in [&one, &two] {
        let log = host.log()?;
        assert!(log.contains("a pooler stands before PostgreSQL"), "{log}");
        assert!(!log.contains("prepared statement") && !log.contains("ERROR"), "{log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_and_each_command_work_behind_pgbouncer() -> Result<()> {
    let Some(bouncer) = PgBouncer::before_fresh_database() else { return Ok(()) };
    let folder = bare().database(Some(bouncer.url())).folder_only();
    for command in [
        &["migrate"][..],
        &["migrate"],
        &["org", "create", "acme", "--name", "Acme"],
        &["org", "create", "other", "--name", "Other"],
        &["token", "create", "acme", "--name", "crm", "--scope", "org:read"],
        &["org", "list"],
        &["key", "status"],
    ] {
        let output = folder.run(command)?;
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let locks = sql(&bouncer.direct, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")?;
    assert_eq!(locks, "0", "no lock stays on a connection that others use");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_prepared_by_name_unless_a_pooler_stands_in_between() -> Result<()> {
    let Some(bouncer) = PgBouncer::before_fresh_database() else { return Ok(()) };
    jackfield_store::migrate(&bouncer.direct).await?;
    let (through, marked) = (bouncer.url(), format!("{}&pgbouncer=true", bouncer.direct));
    for (url, is_prepared) in [(&bouncer.direct, true), (&through, false), (&marked, false)] {
        let store = Store::open(url, Sealer::new(SecretKeys::new([KEY]))).await?;
        let prepared = store.read(|tx| {
            organizations::by_slug(tx, "acme")?;
            tx.prepared_statements()
        });
        assert_eq!(prepared.await? > 0, is_prepared, "{url}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ends_at_the_limit_of_the_settings_with_and_without_a_pooler() -> Result<()> {
    let Some(bouncer) = PgBouncer::before_fresh_database() else { return Ok(()) };
    jackfield_store::migrate(&bouncer.direct).await?;
    for url in [bouncer.direct.clone(), bouncer.url()] {
        let mut database: jackfield_config::Database = url.parse().map_err(|(wrong, _)| anyhow::anyhow!("{wrong}"))?;
        database.statement_timeout = Some(std::time::Duration::from_millis(100));
        let store = Store::open(&database, Sealer::new(SecretKeys::new([KEY]))).await?;
        let slow = store.tamper("SELECT pg_sleep(30)").await.err().context("it takes too long")?;
        assert!(slow.to_string().contains("statement timeout"), "{slow}");
        let slow = store.read(|tx| tx.tamper("SELECT pg_sleep(30)")).await.err().context("it takes too long")?;
        assert!(slow.to_string().contains("statement timeout"), "{slow}");
        drop(store);
        let limit = sql(&url, "SHOW statement_timeout")?;
        assert_eq!(limit, "0", "it is nobody else's limit");
    }
    Ok(())
}

#[test]
fn postgresql_shows_the_name_of_a_host_and_no_more_connections_than_its_pool_has() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let host = bare().database(Some(url.clone())).toml("pool-size = 2").start()?;
    host.organization("acme")?;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ";
    let named: u32 = sql(&url, &format!("{count}'jackfield'"))?.parse()?;
    assert!((1..=3).contains(&named), "those of the pool, and one that asks whether the database is well: {named}");
    let named = bare().database(Some(url.clone())).toml("application-name = \"Jackfield of acme\"").folder_only();
    assert!(named.run(&["migrate"])?.status.success());
    Ok(())
}

#[test]
fn of_several_hosts_and_sockets_the_one_that_takes_writes_is_used() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let several = url.replace("?host=", "?host=/nowhere,");
    let run = |url: &str| bare().database(Some(url.to_owned())).folder_only().run(&["migrate"]);
    let migrated = run(&several)?;
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    // As a standby does after a failover.
    sql(
        &url,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$",
    )?;
    let refused = run(&several)?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("session is read-only"), "{said}");
    assert!(said.contains("help: name a server that takes writes in database.url"), "{said}");
    let chosen = run(&format!("{several}&target_session_attrs=any"))?;
    let said = String::from_utf8_lossy(&chosen.stderr).into_owned();
    assert!(!said.contains("session is read-only"), "the operator's word counts: {said}");
    Ok(())
}
