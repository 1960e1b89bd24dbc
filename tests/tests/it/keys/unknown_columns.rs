//! Encrypted values that a host does not know: it rotates no key then, on SQLite and PostgreSQL.

use std::collections::BTreeSet;

use anyhow::Result;
use insta::{allow_duplicates, assert_snapshot};
use jackfield_store::{sealed_columns::SEALED_COLUMNS, unknown_columns};
use jackfield_test_support::{host::Host, postgres::databases};

use crate::{app::bare, store::tables::each_database};

#[tokio::test(flavor = "multi_thread")]
async fn the_database_lists_every_sealed_column() -> Result<()> {
    for database in each_database().await? {
        let listed: BTreeSet<_> = database.store.read(unknown_columns::listed).await?.into_iter().collect();
        let known: BTreeSet<_> = SEALED_COLUMNS.iter().map(|column| (column.table.to_owned(), column.name())).collect();
        assert_eq!(listed, known, "a migration that adds a sealed column adds its row to `sealed_columns`");
        assert_eq!(database.store.read(unknown_columns::unknown).await?, Vec::<String>::new());
    }
    Ok(())
}

/// What a refused command prints.
fn refusal(host: &Host, command: &[&str]) -> Result<String> {
    let (is_done, said) = host.output(command)?;
    assert!(!is_done, "{command:?}: {said}");
    Ok(said)
}

/// The data keys in `key status`.
fn data_keys(status: &str) -> Vec<String> {
    status.lines().filter(|line| line.contains("  since ")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_only_where_every_sealed_column_is_known() -> Result<()> {
    for database in databases() {
        let mut host = bare().database(database.clone()).start()?;
        host.run(&["key", "rotate"], "")?;
        let store = host.store().await?;
        let keys = data_keys(&host.run(&["key", "status"], "")?);
        let bytes = if database.is_some() { "bytea" } else { "blob" };
        let (listed, named) = (
            (
                "INSERT INTO sealed_columns VALUES ('later', 'secret')".to_owned(),
                "DELETE FROM sealed_columns WHERE table_name = 'later'",
            ),
            (format!("CREATE TABLE later (id integer, sealed_secret {bytes})"), "DROP TABLE later"),
        );
        let mut refusals = String::new();
        // In the running host, and then in the command itself.
        for is_running in [true, false] {
            if !is_running {
                host.signal("TERM")?;
                host.exit_code()?;
            }
            for (by, undone) in [&listed, &named] {
                store.tamper(by.clone()).await?;
                refusals.push_str(&refusal(&host, &["key", "rotate"])?);
                refusals.push_str(&refusal(&host, &["key", "check"])?);
                let status = host.run(&["key", "status"], "")?;
                refusals.push_str(&format!("{}\n", status.lines().last().unwrap_or_default()));
                assert_eq!(data_keys(&status), keys, "no key was made");
                store.tamper(*undone).await?;
            }
        }
        allow_duplicates! {
            assert_snapshot!(refusals, @"
            error: the keys cannot be changed: this version of jackfield (0.1.0) does not know the encrypted values in later.secret, and would leave them without their key
              help: rotate with the version of jackfield that has written them; until then all keys stay
            error: this version does not know the encrypted values in later.secret
              help: check with the version of jackfield that has written them
            unknown column later.secret: this version does not know the encrypted values in it, and rotates no key
            error: the keys cannot be changed: this version of jackfield (0.1.0) does not know the encrypted values in later.sealed_secret, and would leave them without their key
              help: rotate with the version of jackfield that has written them; until then all keys stay
            error: this version does not know the encrypted values in later.sealed_secret
              help: check with the version of jackfield that has written them
            unknown column later.sealed_secret: this version does not know the encrypted values in it, and rotates no key
            error: the keys cannot be changed: this version of jackfield (0.1.0) does not know the encrypted values in later.secret, and would leave them without their key
              help: rotate with the version of jackfield that has written them; until then all keys stay
            error: this version does not know the encrypted values in later.secret
              help: check with the version of jackfield that has written them
            unknown column later.secret: this version does not know the encrypted values in it, and rotates no key
            error: the keys cannot be changed: this version of jackfield (0.1.0) does not know the encrypted values in later.sealed_secret, and would leave them without their key
              help: rotate with the version of jackfield that has written them; until then all keys stay
            error: this version does not know the encrypted values in later.sealed_secret
              help: check with the version of jackfield that has written them
            unknown column later.sealed_secret: this version does not know the encrypted values in it, and rotates no key
            ");
        }
        host.run(&["key", "rotate"], "")?;
        assert_eq!(host.run(&["key", "check"], "")?, "every sealed value can be opened");
    }
    Ok(())
}
