//! What the configuration and the catalogue say of declared providers, before anybody sets one up.

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_loader::catalogue;

use crate::app::{bare, redacted};

#[test]
fn mistakes_in_a_declaration_are_told_with_line_key_and_help() -> Result<()> {
    let said = bare()
        .log("error")
        .toml(
            r#"
[providers.github]
client-idd = "x"
client-authentication = "digest"
pkce = "no"
scopes = "repo"
authorize-parameters = { prompt = 1 }
[providers.githup]
client-id = "x"
[providers.acme]
authorize-url = "acme.example/authorize"
token-url = "https://{client-secret}.example/token"
account = { frm = "token", id = 3 }
[providers.zendesk]
subdomain = "evil.example/"
[providers.plugins]
client-id = "x"
[providers]
gitlab = "x"
"#,
        )
        .start_error()?;
    assert_snapshot!(said, @r#"
    error: 13 mistakes in the configuration
    FOLDER/jackfield.toml:12: providers.github.client-idd: unknown key
      help: did you mean `client-id`?
    FOLDER/jackfield.toml:13: providers.github.client-authentication: not a known word
      help: write "post" or "basic" or "private-key-jwt"
    FOLDER/jackfield.toml:14: providers.github.pkce: wrong type: found text, wanted true or false
      help: write true or false
    FOLDER/jackfield.toml:15: providers.github.scopes: wrong type: found text, wanted a list of texts, ["…", "…"]
      help: write a list of texts, ["…", "…"]
    FOLDER/jackfield.toml:16: providers.github.authorize-parameters.prompt: wrong type: found a number, wanted text
      help: write text
    FOLDER/jackfield.toml:17: providers.githup: not in the catalogue, and without authorize-url, token-url, account
      help: did you mean [providers.github]?
    FOLDER/jackfield.toml:20: providers.acme.authorize-url: not an absolute https URL
      help: write all of it, like https://acme.example/oauth
    FOLDER/jackfield.toml:21: providers.acme.token-url: {client-secret} cannot be used here
      help: name an option of your own, like {subdomain}, and set it beside
    FOLDER/jackfield.toml:22: providers.acme.account.id: wrong type: found a number, wanted text
      help: write text
    FOLDER/jackfield.toml:22: providers.acme.account.frm: unknown key
      help: did you mean `account.from`?
    FOLDER/jackfield.toml:24: providers.zendesk.subdomain: neither a host nor a plain word
      help: write the part of the URL, like `acme` or `acme.example`
    FOLDER/jackfield.toml:25: providers.plugins: not a provider's id
      help: write 1 to 64 of a-z, 0-9, - and _, and not the name of a section
    FOLDER/jackfield.toml:28: providers.gitlab: wrong type: found text, wanted a table, [providers.NAME]
      help: write a table, [providers.NAME]
    "#);
    let said = bare().log("error").toml("[github]\nclient-id = \"x\"\n").start_error()?;
    assert_snapshot!(said, @r"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:10: github: no loaded plugin has a provider with this id
      help: did you mean [providers.github]?
    ");
    Ok(())
}

#[test]
fn a_declared_provider_and_a_plugins_of_one_id_are_told() -> Result<()> {
    let urls = "authorize-url = \"https://a.example/\"\ntoken-url = \"https://a.example/\"\naccount = { id = \"id\" }";
    let said = bare().log("error").plugin("example").toml(&format!("[providers.example]\n{urls}")).start_error()?;
    assert_snapshot!(said, @r#"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libexample.so: two providers with the id `example`: in FOLDER/jackfield.toml and here
      help: list only one of the two, or name the one that may have it: [plugins.ENTRY] providers = ["example"]
    "#);
    Ok(())
}

#[test]
fn a_declared_provider_says_what_it_waits_for_and_the_catalogue_is_listed() -> Result<()> {
    let declared = format!(
        "[providers.zendesk]\nclient-id = \"x\"\n[providers.github]\nclient-id = \"x\"\nclient-secret = \"y\"\n{}",
        "[providers.own]\nname = \"Our own\"\nauthorize-url = \"https://a.example/\"\ntoken-url = \"https://a.example/\"\naccount = { id = \"id\" }\n"
    );
    let folder = bare().toml(&declared).folder_only();
    let said = |arguments: &[&str]| anyhow::Ok(String::from_utf8(folder.run(arguments)?.stdout)?);
    let checked = said(&["config", "check"])?;
    assert_snapshot!(redacted(&checked), @"
    [folder]/jackfield.toml: no mistakes
    note: a backup is data/jackfield.db after a clean stop, and apart from it the secret key
    note: own is not offered to people until it is configured; missing: client-id, client-secret
    note: zendesk is not offered to people until it is configured; missing: client-secret, subdomain
    ");
    let list = said(&["provider", "list"])?;
    let line = |id: &str| list.lines().find(|line| line.starts_with(id)).unwrap_or_default().to_owned();
    assert_snapshot!(["asana", "github", "own", "zendesk"].map(line).join("\n"), @r"
    asana              Asana              -
    github             GitHub             enabled
    own                Our own            enabled, missing: client-id, client-secret
    zendesk            Zendesk            enabled, missing: client-secret, subdomain
    ");
    assert_eq!(list.lines().count(), catalogue().len() + 1);
    let listed = said(&["plugin", "list"])?;
    assert_snapshot!(redacted(&listed), @"
    no host is running; this is what one would load:

    providers.github: running, declared
      plugin  providers.github 0.1.0, abi declared
      file    [folder]/jackfield.toml
      sha256  [digest]
      calls   0
      restarts 0
      github (GitHub): configured
        hosts api.github.com, github.com
    providers.own: running, declared
      plugin  providers.own 0.1.0, abi declared
      file    [folder]/jackfield.toml
      sha256  [digest]
      calls   0
      restarts 0
      own (Our own): not configured, missing: client-id, client-secret
        hosts a.example
    providers.zendesk: running, declared
      plugin  providers.zendesk 0.1.0, abi declared
      file    [folder]/jackfield.toml
      sha256  [digest]
      calls   0
      restarts 0
      zendesk (Zendesk): not configured, missing: client-secret, subdomain
        hosts {subdomain}.zendesk.com
    ");
    Ok(())
}

#[test]
fn an_entry_can_be_printed_as_a_table_to_start_from() -> Result<()> {
    let folder = bare().folder_only();
    let shown = String::from_utf8(folder.run(&["provider", "show", "twitch"])?.stdout)?;
    assert_snapshot!(shown, @r##"
    [providers.twitch]
    client-id = ""
    client-secret = { env = "TWITCH_CLIENT_SECRET" }
    # What follows is the default.
    # https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/
    # https://dev.twitch.tv/docs/api/reference/#get-users
    name = "Twitch"
    authorize-url = "https://id.twitch.tv/oauth2/authorize"
    token-url = "https://id.twitch.tv/oauth2/token"
    revocation-url = "https://id.twitch.tv/oauth2/revoke"
    scopes = ["user:read:email"]
    account = { from = "GET https://api.twitch.tv/helix/users", id = "data.0.id", name = ["data.0.display_name", "data.0.login"], headers = { client-id = "{client-id}" } }
    api-url = "https://api.twitch.tv/helix/"
    api-headers = { client-id = "{client-id}" }
    "##);
    assert!(toml::from_str::<toml::Table>(&shown).is_ok());
    let refused = folder.run(&["provider", "show", "twich"])?;
    assert!(!refused.status.success());
    assert_snapshot!(String::from_utf8(refused.stderr)?, @"
    error: `twich` is not in the catalogue
      help: did you mean `twitch`?
    ");
    Ok(())
}

#[test]
fn the_manuals_own_examples_fit() -> Result<()> {
    let manual = include_str!("../../../../config/jackfield.toml");
    let section = manual.split("# --- ").find(|section| section.starts_with("Providers that need no plugin"));
    let is_toml = |line: &&str| {
        let word = line.split(' ').next().unwrap_or_default();
        (word.starts_with('[') || line.contains(" = "))
            && word.bytes().all(|b| b.is_ascii_lowercase() || b"[].-".contains(&b))
    };
    let lines = section.context("the manual has the section")?.lines().filter_map(|line| line.strip_prefix("# "));
    // Neither the icon nor the key exists.
    let is_here = |line: &&str| !line.starts_with("icon") && !line.starts_with("private-key");
    let toml: Vec<_> = lines.filter(is_toml).filter(is_here).collect();
    assert!(toml.len() > 20, "{toml:#?}");
    let folder = bare()
        .env("GITHUB_CLIENT_SECRET", "x")
        .env("ACME_CLIENT_SECRET", "y")
        .env("ACME_SIGNING_SECRET", "y")
        .toml(&toml.join("\n"))
        .folder_only();
    let checked = folder.run(&["config", "check"])?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let list = String::from_utf8(folder.run(&["provider", "list"])?.stdout)?;
    assert!(list.lines().any(|line| line.starts_with("acme ") && line.ends_with(" enabled")), "{list}");
    Ok(())
}
