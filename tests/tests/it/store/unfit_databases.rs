//! Databases that a host cannot use as they are: of an earlier version, of another program, no
//! database at all, and servers that let it make no tables. Each is told in words.

use std::fs;

use anyhow::Result;
use diesel::{Connection, PgConnection, connection::SimpleConnection};
use insta::assert_snapshot;
use jackfield_config::SecretKeys;
use jackfield_store::{Sealer, Store};
use jackfield_test_support::{host::Folder, postgres::fresh_database};

use crate::app::{bare, redacted};

/// What a command prints that is refused.
fn refusal(folder: &Folder, command: &[&str]) -> Result<String> {
    let output = folder.run(command)?;
    assert!(!output.status.success(), "{command:?}");
    let said = String::from_utf8_lossy(&output.stderr).replace(&folder.folder().display().to_string(), "FOLDER");
    Ok(redacted(&said))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_an_earlier_version_and_one_of_another_program_are_told_apart() -> Result<()> {
    let folder = bare().database(None).folder_only();
    let run = |command: &[&str]| refusal(&folder, command);
    let created = folder.run(&["org", "create", "acme", "--name", "Acme"])?;
    assert!(created.status.success());
    let data = folder.folder().join("data");
    let key = fs::read_to_string(data.join("secret.key"))?;
    let sealer = Sealer::new(SecretKeys::new(key.lines()));
    let file = data.join("jackfield.db");
    let store = Store::open(&format!("sqlite://{}", file.display()), sealer).await?;
    store.tamper("DELETE FROM __diesel_schema_migrations WHERE version > '20261130000100'").await?;
    let pending = run(&["key", "status"])?;
    assert!(pending.contains("database.url: the database is of an earlier version: not applied yet: "), "{pending}");
    assert!(pending.contains("\n  help: `jackfield migrate` brings it up to date"), "{pending}");

    store.tamper("DROP TABLE __diesel_schema_migrations").await?;
    drop(store);
    assert_snapshot!(run(&["migrate"])?, @"
    error: FOLDER/jackfield.toml:8: database.url: the database is another program's: it has tables, and none of jackfield's
      help: give jackfield a database of its own
    ");
    fs::write(
        &file,
        "a text, and longer than the header of a database would be: one hundred bytes, or a few more than that",
    )?;
    assert_snapshot!(run(&["migrate"])?, @"
    error: FOLDER/jackfield.toml:8: database.url: data/jackfield.db cannot be opened: it is not a SQLite database
      help: name another file in database.url, or put back a backup
    ");
    fs::remove_file(&file)?;
    fs::create_dir(&file)?;
    assert_snapshot!(run(&["migrate"])?, @"
    error: FOLDER/jackfield.toml:8: database.url: data/jackfield.db cannot be opened: it is a folder, not a file
      help: name a file in database.url
    ");
    fs::remove_dir(&file)?;
    fs::write(&file, "")?;
    assert!(folder.run(&["migrate"])?.status.success(), "an empty file is a new database");
    Ok(())
}

#[test]
fn a_server_that_lets_no_tables_be_made_is_told_with_what_it_needs() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let mut server = PgConnection::establish(&url)?;
    server.batch_execute("DROP ROLE IF EXISTS limited; CREATE ROLE limited LOGIN")?;
    let migrate = |url: &str| refusal(&bare().database(Some(url.to_owned())).folder_only(), &["migrate"]);
    assert_snapshot!(migrate(&url.replace("user=jackfield", "user=limited"))?, @"
    error: FOLDER/jackfield.toml:8: database.url: the database cannot be brought up to date: permission denied for schema public
      help: let the user of database.url create tables there: GRANT CREATE ON SCHEMA public TO USER, or make it the owner of the database
    ");
    let said = migrate(&format!("{url}&options=-csearch_path%3Dnowhere"))?;
    assert!(
        said.contains("no schema has been selected") && said.contains("\n  help: the search_path of the user"),
        "{said}"
    );
    server.batch_execute("CREATE TABLE users (id integer)")?;
    let said = migrate(&url)?;
    assert!(
        said.contains("\"users\" already exists") && said.contains("\n  help: give jackfield a database of its own"),
        "{said}"
    );
    server.batch_execute("DROP TABLE users")?;
    assert!(bare().database(Some(url)).folder_only().run(&["migrate"])?.status.success(), "nothing was half done");
    Ok(())
}
