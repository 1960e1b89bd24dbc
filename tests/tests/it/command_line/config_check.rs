//! `config check`: what can be known of file, secret key, database and machine without a host. It
//! makes and changes nothing.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Output,
};

use anyhow::{Result, ensure};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::{Folder, Host},
    postgres::databases,
};
use rustix::process::geteuid;

use crate::app::{add_example, bare, owner_of_acme, redacted, redacted_with};

/// Whether it is content, and what it prints.
fn said_of(output: Output, folder: &Path) -> (bool, String) {
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text.replace(&folder.display().to_string(), "FOLDER"))
}

fn check(folder: &Folder) -> Result<(bool, String)> {
    Ok(said_of(folder.run(&["config", "check"])?, folder.folder()))
}

/// The same with other bytes as the configuration.
fn check_of(bytes: &[u8]) -> Result<(bool, String)> {
    let folder = bare().folder_only();
    fs::write(folder.folder().join("jackfield.toml"), bytes)?;
    check(&folder)
}

/// Each file below a folder, with its bytes.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.is_file() {
            found.insert(path.display().to_string(), fs::read(&path)?);
        }
    }
    Ok(found)
}

#[test]
fn a_file_in_another_encoding_is_told_with_the_place() -> Result<()> {
    let text = "[http]\ntimeout = 3\n";
    let utf_16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_snapshot!(check_of(&utf_16)?.1, @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml: the file is UTF-16, not UTF-8
      help: save it as UTF-8: in PowerShell by `Set-Content -Encoding utf8`, here by `iconv -f UTF-16 -t UTF-8 FOLDER/jackfield.toml > NEW`
    ");
    let latin_1 = [text.as_bytes(), b"# caf\xe9\n"].concat();
    assert_snapshot!(check_of(&latin_1)?.1, @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:3: the file is not UTF-8: line 3, column 6 has another encoding
      help: save it as UTF-8; if it is Latin-1, `iconv -f ISO-8859-1 -t UTF-8 FOLDER/jackfield.toml > NEW` does it
    ");
    let marked = "\u{feff}default-integrations = []\n[system]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    let (is_good, said) = check_of(marked.as_bytes())?;
    ensure!(is_good, "Windows' editors put a mark at the beginning of UTF-8: {said}");
    Ok(())
}

#[test]
fn a_file_that_everybody_can_write_is_refused_and_one_of_a_group_warned_of() -> Result<()> {
    let folder = bare().folder_only();
    let file = folder.folder().join("jackfield.toml");
    for (mode, expected) in [(0o666, false), (0o646, false), (0o664, true)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        let (is_good, said) = check(&folder)?;
        let found = format!("found the mode {mode:04o}, wanted 0644\n  help: chmod go-w FOLDER/jackfield.toml");
        ensure!(is_good == expected && said.contains(&found), "{mode:o}: {said}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640))?;
    ensure!(check(&folder)?.0, "a group may read it");
    Ok(())
}

/// Somebody who is not root.
const NOBODY: u32 = 65534;

#[test]
fn an_account_that_lacks_a_right_is_named_with_what_gives_it() -> Result<()> {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can be two accounts");
        return Ok(());
    }
    let folder = bare().folder_only();
    let said = || -> Result<String> {
        let output = folder.command(&["config", "check"]).uid(NOBODY).gid(NOBODY).output()?;
        let differs = [
            ("the account (nobody \\(65534\\)|65534)", "the account [account]"),
            ("`chown [a-z0-9]+", "`chown [account]"),
        ];
        Ok(redacted_with(&said_of(output, folder.folder()).1, &differs))
    };
    let file = folder.folder().join("jackfield.toml");
    fs::set_permissions(folder.folder(), fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640))?;
    assert_snapshot!(said()?, @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml: the account [account] may not read it: it belongs to the user 0 and the group 0, with the mode 0640
      help: `chgrp 65534 FOLDER/jackfield.toml` and `chmod g+r FOLDER/jackfield.toml` let it, or `chown [account] FOLDER/jackfield.toml`; or run this as the account of the host
    ");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    assert_snapshot!(said()?, @"
    warning: FOLDER/jackfield.toml: system.control: data/jackfield.sock: no socket can be made, and no command reaches the host: the account [account] cannot make files in the folder FOLDER: it has no right to
      help: `chown [account] FOLDER` lets it; or run this as the account of the host, in its folder
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:8: database.url: data/jackfield.db: the account [account] cannot make files in the folder FOLDER: it has no right to
      help: `chown [account] FOLDER` lets it; or run this as the account of the host, in its folder
    ");
    Ok(())
}

#[test]
fn what_is_in_the_wrong_place_or_misspelt_is_sent_to_the_right_one() -> Result<()> {
    let toml = "default-integration = [\"example\"]\n[plugins.slack]\nclient-id = \"1\"\n\
                [slack]\nclient-secret = { evn = \"A\" }\nmemory = 256\nscopes = \"a,b\"\nurl-prefix = \"x\"\n[gitlab]\nurl = \"x\"\n";
    let folder =
        bare().plugin("slack").listed("Example").on_disk("example").listed("github").on_disk("gitlab").toml(toml);
    assert_snapshot!(check(&folder.folder_only())?.1, @r#"
    warning: FOLDER/jackfield.toml:18: gitlab: nothing uses this table: the plugin `gitlab` is not listed in default-integrations
      help: add "gitlab" to default-integrations, or remove the table
    error: 8 mistakes in the configuration
    FOLDER/jackfield.toml:1: default-integrations: no plugin named `Example`: looked for plugins/libExample.so, plugins/Example.so
      help: did you mean `example`?
    FOLDER/jackfield.toml:1: default-integrations: no plugin named `github`: looked for plugins/libgithub.so, plugins/github.so
      help: GitHub needs no plugin: the catalogue has it. Remove it here, and write
        [providers.github]
        client-id = "…"
        client-secret = { env = "GITHUB_CLIENT_SECRET" }
    FOLDER/jackfield.toml:10: database.default-integration: unknown key
      help: did you mean `default-integrations`? it belongs above the first table of the file
    FOLDER/jackfield.toml:12: plugins.slack.client-id: unknown key
      help: it is an option of the provider and belongs into its own table, [slack]
    FOLDER/jackfield.toml:14: slack.client-secret: unknown key `evn` in a reference
      help: did you mean { env = "NAME" }?
    FOLDER/jackfield.toml:15: slack.memory: unknown option
      help: it belongs into [plugins] or [plugins.slack]
    FOLDER/jackfield.toml:16: slack.scopes: wrong type: found text, wanted a list, ["…", "…"]
      help: write a list, ["…", "…"]
    FOLDER/jackfield.toml:17: slack.url-prefix: unknown option
      help: it belongs into [system]
    "#);
    Ok(())
}

#[test]
fn what_passes_and_cannot_work_is_warned_of() -> Result<()> {
    let toml = "[plugins.slack]\nhosts = [\"hooks.slack.com\"]\n[slack]\nclient-id = \"1\"\nclient-secret = \"changeme\"\n\
                [providers.acme]\nauthorize-url = \"http://acme.example/authorize\"\ntoken-url = \"http://10.1.2.3/token\"\n\
                account = { id = \"id\" }\n[gitlab]\nurl = \"x\"\n";
    let folder = bare().plugin("slack").on_disk("gitlab").toml(toml).folder_only();
    let (is_good, said) = check(&folder)?;
    assert!(is_good, "{said}");
    assert_snapshot!(said, @r#"
    warning: FOLDER/jackfield.toml:10: plugins.slack.hosts: no setup of `slack` can succeed: its endpoints are on slack.com
      help: add them: hosts = ["slack.com", …]
    warning: FOLDER/jackfield.toml:14: slack.client-secret: this is the placeholder of an example
      help: write the secret that the service shows
    warning: FOLDER/jackfield.toml:16: providers.acme.authorize-url: plain http to acme.example: the host refuses it, and no setup can succeed
      help: write https, or list acme.example under [http] allow-private if it is yours
    warning: FOLDER/jackfield.toml:17: providers.acme.token-url: 10.1.2.3 is a private address: the host refuses it, and no setup can succeed
      help: list 10.1.2.3 under [http] allow-private if it is yours
    warning: FOLDER/jackfield.toml:19: gitlab: nothing uses this table: the plugin `gitlab` is not listed in default-integrations
      help: add "gitlab" to default-integrations, or remove the table
    FOLDER/jackfield.toml: no mistakes
    note: a backup is data/jackfield.db after a clean stop, and apart from it the secret key
    note: acme is not offered to people until it is configured; missing: client-id, client-secret
    "#);
    Ok(())
}

#[test]
fn a_new_installation_is_good_and_nothing_is_made() -> Result<()> {
    let folder = bare().folder_only();
    let before = files(folder.folder())?;
    let (is_good, said) = check(&folder)?;
    assert!(is_good, "{said}");
    assert_eq!(files(folder.folder())?, before);
    fs::write(folder.folder().join("data"), "")?;
    let (is_good, said) = check(&folder)?;
    assert!(!is_good);
    assert_snapshot!(said, @"
    warning: FOLDER/jackfield.toml: system.control: data/jackfield.sock: no socket can be made, and no command reaches the host: data is a file, and a folder is wanted there
      help: correct the path
    error: 2 mistakes in the configuration
    FOLDER/jackfield.toml: system.secret-key: data/secret.key: a part of this path is a file, not a folder
      help: correct the path
    FOLDER/jackfield.toml:8: database.url: data/jackfield.db: data is a file, and a folder is wanted there
      help: correct the path
    ");
    let offline = said_of(folder.run(&["config", "check", "--offline"])?, folder.folder());
    assert_snapshot!(offline.1, @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml: system.secret-key: data/secret.key: a part of this path is a file, not a folder
      help: correct the path
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_use_is_looked_at_and_left_as_it_is() -> Result<()> {
    for database in databases() {
        let feature = "[features]\n\"organizations:integrations-v3\" = [\"acme\", \"nosuchorg\"]";
        let build = || bare().plugin("example").toml(feature).database(database.clone());
        let mut host = build().start()?;
        add_example(&owner_of_acme(&host).await?, "acme", "one").await?;
        let checked = |host: &Host| -> Result<(bool, String)> {
            let (is_good, said) = host.output(&["config", "check"])?;
            let said = redacted(&said.replace(&host.folder().display().to_string(), "FOLDER"));
            // It names the database.
            let lines: Vec<&str> = said.lines().filter(|line| !line.contains("a backup is")).collect();
            Ok((is_good, lines.join("\n")))
        };
        let (is_good, said) = checked(&host)?;
        assert!(is_good, "{said}");
        insta::allow_duplicates! { assert_snapshot!(said, @"
        warning: FOLDER/jackfield.toml:11: features.organizations:integrations-v3: there is no organization `nosuchorg`
          help: `jackfield org list` shows the slugs; `jackfield org create` makes one
        FOLDER/jackfield.toml: no mistakes
        note: a host with this configuration is running
        ") };

        host.signal("TERM")?;
        host.exit_code()?;
        let before = files(host.folder())?;
        let (is_good, said) = checked(&host)?;
        assert!(is_good && !said.contains("is running"), "{said}");
        assert_eq!(files(host.folder())?.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());

        let key = host.folder().join("data/secret.key");
        let right = fs::read(&key)?;
        fs::write(&key, "k".repeat(40))?;
        let (is_good, said) = checked(&host)?;
        assert!(!is_good && said.contains("this database's secrets are sealed under another secret key"), "{said}");
        fs::remove_file(&key)?;
        let (is_good, said) = checked(&host)?;
        assert!(!is_good && said.contains("system.secret-key") && said.contains("there is no such file"), "{said}");
        assert!(!key.exists(), "none is made");
        fs::write(&key, right)?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        assert!(checked(&host)?.0);
    }
    Ok(())
}

#[test]
fn an_address_in_use_and_a_database_that_nobody_reaches_are_told_together() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let folder = bare().database(Some("postgres://jack:hunter2@127.0.0.1:1/jackfield".to_owned())).folder_only();
    let file = folder.folder().join("jackfield.toml");
    let listen = format!("listen = \"{}\"", taken.local_addr()?);
    fs::write(&file, fs::read_to_string(&file)?.replace("listen = \"127.0.0.1:0\"", &listen))?;
    let (is_good, said) = check(&folder)?;
    assert!(!is_good && !said.contains("hunter2"), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("jackfield.toml:")).collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(
        lines[0].contains("system.listen: cannot listen on 127.0.0.1:") && lines[1].contains("database.url: "),
        "{said}"
    );
    assert_eq!(said.matches("Connection refused").count(), 1, "{said}");
    assert_eq!(said.matches("  help: ").count(), 2, "{said}");
    drop(taken);
    Ok(())
}
