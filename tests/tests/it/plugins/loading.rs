//! Which libraries are loaded, which are refused, and what the operator is told.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::{HostBuilder, built_library, library_folder, write_library},
    http_client::HttpClient,
};

use crate::app::{bare, leaving_a_mark, log_line, owner_of_acme, redacted};

/// What a start prints that lists this library.
fn refused(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Result<String> {
    let folder = library_folder()?;
    let file = folder.path().join("libplugin.so");
    let mut bytes = fs::read(built_library(name)?)?;
    change(&mut bytes);
    write_library(&bytes, &file)?;
    refused_path(&file)
}

fn refused_path(file: &Path) -> Result<String> {
    refused_host(bare().listed(&file.display().to_string()), file)
}

fn refused_host(builder: HostBuilder, file: &Path) -> Result<String> {
    let said = builder.log("error").start_error()?;
    let said = said.replace(&file.display().to_string(), "FILE").replace("FOLDER/jackfield.toml:1: ", "");
    Ok(if said.contains("truncated") { without_numbers(&said) } else { said })
}

/// The size of a library differs from build to build.
fn without_numbers(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    while text.contains("##") {
        text = text.replace("##", "#");
    }
    text
}

/// The mistakes, without the line that counts them.
fn mistakes(said: &str) -> &str {
    said.split_once('\n').map_or(said, |(_, rest)| rest).trim_end()
}

#[test]
fn a_file_that_is_not_there() -> Result<()> {
    let said = refused_path(Path::new("/nowhere/libacme.so"))?;
    assert_snapshot!(mistakes(&said), @r"
    default-integrations: FILE: No such file or directory (os error 2)
      help: check the path and that the host's user may read the file
    ");
    Ok(())
}

#[test]
fn a_file_that_is_not_a_library() -> Result<()> {
    let said = refused("example", |bytes| *bytes = b"#!/bin/sh\necho hello\n".to_vec())?;
    assert_snapshot!(mistakes(&said), @r"
    default-integrations: FILE: not a library: found a text file, wanted an ELF shared library
      help: list the plugin's .so file, as `cargo build --release` makes it for a cdylib
    ");
    Ok(())
}

#[test]
fn a_truncated_library_is_refused_wherever_it_is_cut() -> Result<()> {
    let whole = fs::read(built_library("example")?)?.len();
    let said = refused("example", |bytes| bytes.truncate(whole / 2))?;
    assert_snapshot!(mistakes(&said), @r"
    default-integrations: FILE: truncated: found # bytes, wanted #
      help: copy the file again; it was probably cut while being copied
    ");
    let mut refusals = Vec::new();
    for length in [5, 64, 4096, whole / 10, whole - 1] {
        let said = refused("example", |bytes| bytes.truncate(length))?;
        refusals.push(mistakes(&said).to_owned());
    }
    assert_snapshot!(refusals.join("\n"), @"
    default-integrations: FILE: not a library: found the beginning of an ELF file, wanted an ELF shared library
      help: list the plugin's .so file, as `cargo build --release` makes it for a cdylib
    default-integrations: FILE: truncated: found # bytes, wanted #
      help: copy the file again; it was probably cut while being copied
    default-integrations: FILE: truncated: found # bytes, wanted #
      help: copy the file again; it was probably cut while being copied
    default-integrations: FILE: truncated: found # bytes, wanted #
      help: copy the file again; it was probably cut while being copied
    default-integrations: FILE: truncated: found # bytes, wanted #
      help: copy the file again; it was probably cut while being copied
    ");
    Ok(())
}

#[test]
fn a_library_for_another_architecture() -> Result<()> {
    // e_machine, bytes 18 and 19 of an ELF header: s390.
    let said = refused("example", |bytes| bytes[18..20].copy_from_slice(&22u16.to_le_bytes()))?;
    let said = said.replace(std::env::consts::ARCH, "ARCH");
    assert_snapshot!(mistakes(&said), @r"
    default-integrations: FILE: built for another architecture: found ELF machine 22, wanted ARCH
      help: get or build the plugin for this machine's architecture
    ");
    Ok(())
}

/// Unit tests go through all that the system's loader would act on.
#[test]
fn a_library_that_would_change_the_process_is_refused_before_any_of_it_runs() -> Result<()> {
    let said = refused("example", |bytes| {
        let stack = 0x6474_e551_u32.to_le_bytes();
        let header = (64..1024).step_by(56).find(|at| bytes[*at..*at + 4] == stack).expect("a header for the stack");
        bytes[header + 4] |= 1;
    })?;
    assert_snapshot!(mistakes(&said), @r"
    default-integrations: FILE: found an executable stack, wanted a stack that holds data only
      help: link it with `-z noexecstack`, and give each assembly file a `.note.GNU-stack` section
    ");
    let said = refused("example", |bytes| {
        let name = bytes.windows(12).position(|part| part == b"libgcc_s.so.").expect("a needed library");
        bytes[name..name + 12].copy_from_slice(b"libcrypto.so");
    })?;
    assert_snapshot!(mistakes(&said), @r#"
    default-integrations: FILE: needs the library "libcrypto.so1", wanted nothing but the C library (libc, libm, libgcc_s and their like)
      help: link that library statically: a worker opens no files
    "#);
    Ok(())
}

#[test]
fn a_library_without_a_plugin_inside() -> Result<()> {
    let said = refused("no_plugin", |_| ())?;
    assert_snapshot!(mistakes(&said), @r"
    default-integrations: FILE: no jackfield plugin inside: the symbol JACKFIELD_PLUGIN_MANIFEST is missing
      help: check that it is a plugin: its source ends in `export_providers!(…)`
    ");
    Ok(())
}

#[test]
fn a_plugin_for_an_incompatible_abi_is_refused_before_any_of_it_runs() -> Result<()> {
    let folder = library_folder()?;
    let (file, mark) = (folder.path().join("libplugin.so"), folder.path().join("mark"));
    write_library(&fs::read(built_library("future_abi")?)?, &file)?;
    let builder = bare().listed(&file.display().to_string()).toml("[plugins]\nisolation = \"in-process\"");
    let said = refused_host(builder.env("JACKFIELD_FIXTURE_MARK", &mark.display().to_string()), &file)?;
    assert_snapshot!(mistakes(&said), @r"
    default-integrations: FILE: built for an incompatible abi: found 99.0, wanted 1.x
      help: get a build of the plugin for this host's abi, or a host for the plugin's
    ");
    assert!(!mark.exists(), "its constructor has not run");
    Ok(())
}

#[test]
fn a_panic_while_loading() -> Result<()> {
    let said = refused("panics_in_load", |_| ())?;
    assert_snapshot!(redacted(mistakes(&said)), @"
    default-integrations: FILE: listing its providers: the plugin panicked: listed to panic at tests/fixtures/panics_in_load/src/lib.rs:[line]
      help: report this to the plugin's author
    ");
    let said = refused("panics_in_create", |_| ())?;
    assert_snapshot!(redacted(mistakes(&said)), @"
    default-integrations: FILE: making its provider `panics-in-create`: the plugin panicked: made to panic at tests/fixtures/panics_in_create/src/lib.rs:[line]
      help: report this to the plugin's author
    ");
    Ok(())
}

#[test]
fn two_providers_with_one_id() -> Result<()> {
    let said = bare().plugin("example").plugin("duplicate_id").log("error").start_error()?;
    assert_snapshot!(mistakes(&said), @r#"
    FOLDER/jackfield.toml:1: default-integrations: plugins/libduplicate_id.so: two providers with the id `example`: in plugins/libexample.so and here
      help: list only one of the two, or name the one that may have it: [plugins.ENTRY] providers = ["example"]
    "#);
    Ok(())
}

#[test]
fn all_that_is_wrong_with_all_plugins_is_told_at_once() -> Result<()> {
    let options = "[bad-options]\nport = \"many\"\nmode = \"c\"\nprt = 3\n";
    let said = bare()
        .plugin("no_plugin")
        .plugin("panics_in_load")
        .plugin("bad_options")
        .listed("nowhere")
        .toml(options)
        .log("error")
        .start_error()?;
    assert_snapshot!(redacted(&said), @r#"
    error: 5 mistakes in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libno_plugin.so: no jackfield plugin inside: the symbol JACKFIELD_PLUGIN_MANIFEST is missing
      help: check that it is a plugin: its source ends in `export_providers!(…)`
    FOLDER/jackfield.toml:1: default-integrations: plugins/libpanics_in_load.so: listing its providers: the plugin panicked: listed to panic at tests/fixtures/panics_in_load/src/lib.rs:[line]
      help: report this to the plugin's author
    FOLDER/jackfield.toml:1: default-integrations: no plugin named `nowhere`: looked for plugins/libnowhere.so, plugins/nowhere.so
      help: put the library there, add its folder to plugins.path, or list its path instead
    FOLDER/jackfield.toml:12: bad-options.mode: not a known word: wanted `a` or `b`
      help: write "a" or "b"
    FOLDER/jackfield.toml:13: bad-options.prt: unknown option
      help: did you mean `port`?
    "#);
    Ok(())
}

#[test]
fn a_plugin_on_disk_that_is_not_listed_is_never_opened() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("mark");
    let host = leaving_a_mark(bare().plugin("example").on_disk("leaves_a_mark"), &mark).start()?;
    let listed = host.run(&["plugin", "list"], "")?;
    assert_snapshot!(redacted(&listed), @"
    example: running, process, pid [pid]
      plugin  jackfield-plugin-example 0.1.0, abi 1.0
      file    plugins/libexample.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      calls   0
      restarts 0
      example (Example): configured
        hosts none
    ");
    assert!(!mark.exists());
    drop(host);
    let host = leaving_a_mark(bare().plugin("example").plugin("leaves_a_mark"), &mark).start()?;
    assert!(mark.exists(), "a listed library writes its file: the test can fail");
    drop(host);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_failure_skip_starts_with_the_plugins_that_do_load() -> Result<()> {
    let host = bare().plugin("no_plugin").plugin("example").toml("[plugins]\non-failure = \"skip\"").start()?;
    // The log has the reason.
    assert_snapshot!(log_line(&host, "no jackfield plugin inside")?, @r"ERROR a plugin is skipped error=[folder]/jackfield.toml:1: default-integrations: plugins/libno_plugin.so: no jackfield plugin inside: the symbol JACKFIELD_PLUGIN_MANIFEST is missing\n  help: check that it is a plugin: its source ends in `export_providers!(…)`");
    let owner = owner_of_acme(&host).await?;
    assert_eq!(owner.start_setup("acme", "example").await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_library_may_export_several_providers() -> Result<()> {
    let host = bare().plugin("two_providers").plugin("example").start()?;
    host.organization("acme")?;
    let token = host.token("acme", &["org:read"])?;
    let client = HttpClient::new(&host.url);
    let request = client.request(reqwest::Method::GET, "/api/0/organizations/acme/config/integrations/");
    let listed = client.send(request.bearer_auth(token)).await?.json()?;
    let ids: Vec<_> = listed["providers"].as_array().context("a list")?.iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["first", "second", "example"]);
    Ok(())
}

#[test]
fn plugin_commands_tell_what_is_in_a_library() -> Result<()> {
    let library = built_library("slack")?.display().to_string();
    let host = bare().plugin("slack").start()?;
    let digest = host.run(&["plugin", "digest", &library], "")?;
    let digest = digest.split_whitespace().next().context("a digest")?.to_owned();
    assert_eq!(digest.len(), 64);
    let checked = host.run(&["plugin", "check", &library], "")?;
    assert_snapshot!(redacted(&checked), @"
    [target]/libslack.so: loads, in [duration]
      plugin  jackfield-plugin-slack 0.1.0, abi 1.0
      file    [target]/libslack.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      opens   with the C library only; no executable stack, text relocations, IFUNC or search path
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
    provider slack (Slack)
      options client-id, client-secret, signing-secret, verification-token, api, scopes, user-scopes, authorize-url, token-url
      step    oauth2, run by the host, OAuth 2.0
      needs   client-id, client-secret
      hosts   slack.com
      asked   200 questions: 29 event, 114 fault, 26 refresh, 4 revocation, 27 webhook; slowest [duration], largest 15556 bytes
    ");
    let listed = host.run(&["plugin", "list"], "")?;
    assert_snapshot!(redacted(&listed), @"
    slack: running, process, pid [pid]
      plugin  jackfield-plugin-slack 0.1.0, abi 1.0
      file    plugins/libslack.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      calls   0
      restarts 0
      slack (Slack): not configured, missing: client-id, client-secret
        hosts slack.com
    ");
    assert!(host.run(&["plugin", "check", "/nowhere.so"], "").is_err());
    Ok(())
}

#[test]
fn a_locked_host_loads_the_accepted_libraries_and_no_others() -> Result<()> {
    let marks = tempfile::tempdir()?;
    let mark = marks.path().join("mark");
    let folder = leaving_a_mark(bare().plugin("leaves_a_mark"), &mark).folder_only();
    let check = || -> Result<(bool, String)> {
        let output = folder.run(&["config", "check"])?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok((output.status.success(), said.replace(&folder.folder().display().to_string(), "FOLDER")))
    };
    assert!(folder.run(&["plugin", "lock"])?.status.success());
    assert!(!mark.exists(), "accepting a library does not run it");
    assert!(check()?.0 && mark.exists());
    fs::remove_file(&mark)?;

    let library = folder.folder().join("plugins/libleaves_a_mark.so");
    let accepted = fs::read(&library)?;
    fs::write(&library, [accepted.as_slice(), b"changed"].concat())?;
    let (is_good, said) = check()?;
    assert!(!is_good);
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the digest [digest], wanted [digest]
      help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`
    ");
    assert!(!mark.exists(), "nothing of it has run");
    assert!(folder.run(&["plugin", "lock"])?.status.success());
    assert!(check()?.0, "accepted, it is loaded");

    let lock = folder.folder().join("jackfield.lock");
    fs::write(&lock, fs::read_to_string(&lock)?.replace("leaves_a_mark", "another"))?;
    assert_snapshot!(redacted(&check()?.1), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libleaves_a_mark.so: not as it is in jackfield.lock: found the digest [digest], wanted none: the plugin is not in it
      help: put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`
    ");
    fs::write(&lock, "plugins = 3")?;
    fs::remove_file(&mark)?;
    let (is_good, said) = check()?;
    assert!(!is_good && !mark.exists(), "with an unreadable lock nothing is loaded: {said}");
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml: FOLDER/jackfield.lock: line 1 is not as `jackfield plugin lock` writes it
      help: write it again with `jackfield plugin lock`
    ");
    Ok(())
}
