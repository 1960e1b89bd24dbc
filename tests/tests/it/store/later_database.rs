//! A database that a later version has used, on SQLite and PostgreSQL: who refuses it, in which
//! words, and who goes on.

use anyhow::{Context, Result};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_server::control::Control;
use jackfield_services::keys::Rotation;
use jackfield_store::Store;
use jackfield_test_support::{host::Host, postgres::databases};

use crate::app::{PASSWORD, add_example, bare, log_in, owner_of_acme, redacted};

/// What a version of the far future has applied.
const LATER: &str = "20991231000000";

/// Every command that opens the database.
const COMMANDS: [&[&str]; 19] = [
    &["migrate"],
    &["org", "create", "globex", "--name", "Globex"],
    &["org", "list"],
    &["org", "rename", "acme", "--name", "Ajax"],
    &["org", "remove", "acme", "--dry-run"],
    &["user", "create", "bob@example.com", "--password-stdin"],
    &["user", "list"],
    &["user", "disable", "owner@example.com"],
    &["member", "add", "acme", "owner@example.com", "--role", "member"],
    &["member", "list", "acme"],
    &["token", "create", "acme", "--name", "crm", "--scope", "org:read"],
    &["token", "list", "acme"],
    &["revoke", "--provider", "example", "--yes"],
    &["key", "rotate"],
    &["key", "rotate", "--secret-key"],
    &["key", "status"],
    &["key", "check"],
    &["audit", "verify"],
    &["audit", "list"],
];

async fn used_by_a_later_version(store: &Store) -> Result<()> {
    let sql = format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{LATER}')");
    Ok(store.tamper(sql).await?)
}

async fn put_back(store: &Store) -> Result<()> {
    Ok(store.tamper(format!("DELETE FROM __diesel_schema_migrations WHERE version = '{LATER}'")).await?)
}

/// What a refused command prints, without the folder.
fn refusal(host: &Host, command: &[&str]) -> Result<String> {
    let (is_done, said) = host.output(command)?;
    assert!(!is_done, "{command:?}: {said}");
    Ok(redacted(&said.replace(&host.folder().display().to_string(), "FOLDER")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_later_version_is_refused_by_the_host_and_by_every_command() -> Result<()> {
    for database in databases() {
        let build = || bare().plugin("example").database(database.clone()).log("error");
        let mut host = build().start()?;
        let owner = owner_of_acme(&host).await?;
        add_example(&owner, "acme", "One").await?;
        let store = host.store().await?;
        host.signal("TERM")?;
        host.exit_code()?;
        let (head, keys) = (host.run(&["audit", "verify"], "")?, host.run(&["key", "status"], "")?);
        used_by_a_later_version(&store).await?;

        let wanted = refusal(&host, &["org", "list"])?;
        allow_duplicates! {
            assert_snapshot!(wanted, @"
            error: FOLDER/jackfield.toml:8: database.url: the database was used by a later version of jackfield: it has the migration [number], which this version (0.1.0) does not know
              help: start that later version, or put back the backup from before the upgrade. Nothing was changed
            ");
        }
        for command in COMMANDS {
            assert_eq!(refusal(&host, command)?, wanted, "{command:?}");
        }
        assert_eq!(refusal(&host, &["serve", "--log", "error"])?, wanted);

        put_back(&store).await?;
        assert_eq!(host.run(&["audit", "verify"], "")?, head, "nothing was written");
        assert_eq!(host.run(&["key", "status"], "")?, keys);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_serves_goes_on_beside_a_later_one_and_rotates_no_key() -> Result<()> {
    for database in databases() {
        let host = bare().plugin("example").database(database).start()?;
        let owner = owner_of_acme(&host).await?;
        let store = host.store().await?;
        let keys = host.run(&["key", "status"], "")?;
        used_by_a_later_version(&store).await?;

        add_example(&owner, "acme", "One").await.context("it serves")?;
        log_in(&host, "owner@example.com").await?;
        assert_eq!(owner.visit("/readyz").await?.status, 200);
        let control = Control::at(&host.folder().join("data/jackfield.sock"));
        for rotation in [Rotation::DataKey, Rotation::SecretKey { newest: newest_secret_key(&keys)? }] {
            let refused =
                control.rotate(&rotation, |_| ()).await.err().context("it knows only some of the database")?;
            assert!(refused.to_string().contains(LATER), "{refused}");
        }

        put_back(&store).await?;
        assert_eq!(data_keys(&host.run(&["key", "status"], "")?), data_keys(&keys), "no key was made");
        host.run(&["key", "rotate"], PASSWORD)?;
    }
    Ok(())
}

fn newest_secret_key(status: &str) -> Result<String> {
    let line = status.lines().nth(1).context("a secret key")?;
    Ok(line.split_whitespace().next().context("its id")?.to_owned())
}

/// The ids of the data keys, each with its state.
fn data_keys(status: &str) -> Vec<Vec<&str>> {
    let keys = status.lines().filter(|line| line.contains("  since "));
    keys.map(|line| line.split_whitespace().take(2).collect()).collect()
}
