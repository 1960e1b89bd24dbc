//! What an operator reads when PostgreSQL cannot be used: once, with the place in the file and what
//! to do, and nothing of the password.

use std::process::Output;

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::postgres::{fresh_database, sql};

use crate::app::bare;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// What `migrate` says of a database that cannot be used.
fn refused(url: &str) -> Result<String> {
    let folder = bare().database(Some(url.to_owned())).folder_only();
    let output = folder.run(&["migrate"])?;
    assert_eq!(output.status.code(), Some(1), "{url}: {}", said(&output));
    Ok(said(&output).replace(&folder.folder().display().to_string(), "FOLDER"))
}

#[test]
fn a_server_that_is_not_there_is_told_once_with_file_line_key_and_help() -> Result<()> {
    assert_snapshot!(refused("postgres://jack:hunter2@127.0.0.1:1/jackfield")?, @r#"
    error: FOLDER/jackfield.toml:8: database.url: connection to server at "127.0.0.1", port 1 failed: Connection refused
      help: check host and port in database.url, and that the server runs and listens there
    "#);
    assert_snapshot!(refused("postgres://jack:hunter2@/jackfield?host=/nowhere")?, @r#"
    error: FOLDER/jackfield.toml:8: database.url: connection to server on socket "/nowhere/.s.PGSQL.5432" failed: No such file or directory
      help: check the folder of the socket (host) and the port in database.url, and that the server runs
    "#);
    let unknown = refused("postgres://jack:hunter2@nobody..invalid/jackfield")?;
    assert!(unknown.contains("help: check the name of the host in database.url"), "{unknown}");
    Ok(())
}

#[test]
fn what_the_server_says_no_to_is_told_with_help_that_fits() -> Result<()> {
    let Some(url) = fresh_database() else { return Ok(()) };
    let name = sql(&url, "SELECT current_database()")?;
    sql(
        &url,
        "CREATE ROLE weak LOGIN; CREATE ROLE no_more LOGIN CONNECTION LIMIT 0; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    )?;
    let as_user = |user: &str| url.replace("user=jackfield", &format!("user={user}"));
    for (url, expected) in [
        (url.replace(&name, "nothing_here"), "help: create the database (createdb)"),
        (as_user("nobody_here"), "help: create the user"),
        (as_user("no_more"), "help: raise the server's max_connections"),
        (as_user("weak"), "help: let the user of database.url create tables there: GRANT CREATE"),
        (url.replace("host=", "port=1&host="), "help: check the folder of the socket"),
    ] {
        let refused = refused(&url)?;
        assert!(refused.contains("jackfield.toml:8: database.url: ") && refused.contains(expected), "{refused}");
        assert_eq!(refused.matches("help:").count(), 1, "{refused}");
        assert_eq!(refused.matches("database.url: ").count(), 1, "{refused}");
    }
    sql(&url, "DROP ROLE weak; DROP ROLE no_more")?;
    Ok(())
}

/// Syllables that nothing else of ours holds.
const SYLLABLES: [&str; 3] = ["Xq7", "zK9", "WvJ"];

#[test]
fn no_three_characters_of_a_password_are_told_whatever_it_holds() -> Result<()> {
    let [a, b, c] = SYLLABLES;
    let mut urls = Vec::new();
    for mark in ["@", "/", "#", "?", "%", ":", "&", "=", " ", "%4", ",", "[", "@/", "/@", "?@", "@:", "'", "\\\\"] {
        urls.push(format!("postgres://jack:{a}{mark}{b}{mark}{c}@127.0.0.1:1/jf"));
        urls.push(format!("postgres://jack:{mark}{a}@127.0.0.1:1/jf"));
        urls.push(format!("postgres://jack@127.0.0.1:1/jf?password={a}{mark}{b}"));
        urls.push(format!("postgres://jack@127.0.0.1:1/jf?sslmode=require&sslpassword={a}{mark}{b}"));
    }
    for url in urls {
        let folder = bare().database(Some(url.clone())).folder_only();
        for command in [&["migrate", "--log", "trace"][..], &["serve", "--log", "trace"], &["config", "check"]] {
            let told = said(&folder.run(command)?);
            let has_told = SYLLABLES.iter().any(|syllable| told.contains(syllable));
            assert!(!has_told && !told.contains("panicked"), "{url} {command:?}: {told}");
        }
    }
    Ok(())
}

#[test]
fn a_password_that_is_not_in_the_url_is_not_told_either() -> Result<()> {
    let folder = bare().database(Some("postgres://jack@127.0.0.1:1/jf".to_owned())).folder_only();
    let passfile = folder.folder().join("pgpass");
    std::fs::write(&passfile, "*:*:*:*:Xq7zK9WvJ\n")?;
    let mut command = folder.command(&["migrate", "--log", "trace"]);
    let output = command.env("PGPASSFILE", &passfile).env("PGPASSWORD", "Xq7zK9WvJ").output()?;
    assert!(!said(&output).contains("Xq7") && output.status.code() == Some(1), "{}", said(&output));
    Ok(())
}

#[test]
fn a_special_character_in_a_password_is_told_with_how_to_write_it() -> Result<()> {
    assert_snapshot!(refused("postgres://jack:p@ss/word@127.0.0.1:1/jackfield")?, @r"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:8: database.url: holds an `@` where the name of the host or what follows it stands
      help: write postgres://USER:PASSWORD@HOST/NAME, and special characters of user and password as %XX: %40 for @, %2F for /, %3F for ?, %23 for #, %3A for :, %25 for %
    ");
    Ok(())
}
