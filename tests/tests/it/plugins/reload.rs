//! A host that reloads its configuration while it runs: what has not changed continues undisturbed.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::HttpClient,
};

use crate::app::{add_example, bare, log_in, log_line, owner_of_acme, redacted, redacted_with};

/// A host with an organization, and its owner.
async fn running(builder: HostBuilder) -> Result<(Host, HttpClient)> {
    let host = builder.start()?;
    let owner = owner_of_acme(&host).await?;
    Ok((host, owner))
}

fn reload(host: &Host) -> Result<(bool, String)> {
    let (is_done, said) = host.output(&["reload"])?;
    Ok((is_done, said.replace(&host.folder().display().to_string(), "FOLDER")))
}

/// The process id of a plugin in `plugin list`.
fn pid(host: &Host, entry: &str) -> Result<String> {
    let (_, listed) = host.output(&["plugin", "list"])?;
    let line = listed.lines().find(|line| line.starts_with(&format!("{entry}: "))).context("it is listed")?;
    Ok(line.rsplit("pid ").next().context("it has a worker")?.to_owned())
}

fn library(host: &Host, name: &str) -> PathBuf {
    host.folder().join(format!("plugins/lib{name}.so"))
}

/// Another build of a library: it loads as before, with another digest.
fn rebuild(host: &Host, name: &str) -> Result<()> {
    let file = library(host, name);
    let mut bytes = fs::read(&file)?;
    bytes.extend_from_slice(b"rebuilt");
    fs::remove_file(&file)?;
    Ok(fs::write(&file, bytes)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_plugin_is_replaced_an_unchanged_one_left_alone_and_a_flow_of_the_changed_one_ends_with_a_word()
-> Result<()> {
    let both = || bare().plugin("example").plugin("misbehaving");
    let (host, owner) = running(both()).await?;
    let (example, misbehaving) = (pid(&host, "example")?, pid(&host, "misbehaving")?);
    owner.start_setup("acme", "two-steps").await?;
    owner.start_setup("acme", "example").await?;
    rebuild(&host, "misbehaving")?;

    let (is_done, said) = reload(&host)?;
    assert_snapshot!(said, @r"
    reloaded
      replaced  misbehaving
      kept      example
    ");
    assert!(is_done);
    assert_eq!(pid(&host, "example")?, example, "left alone");
    assert_ne!(pid(&host, "misbehaving")?, misbehaving);
    let ended = owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    assert_eq!(ended.status_and_location(), (302, "/"));
    let page = owner.visit("/organizations/acme/integrations/").await?;
    assert!(
        page.text
            .contains("The connector for this service was updated while the connection was in progress. Start again."),
        "{}",
        page.text
    );
    let goes_on = owner.post("/extensions/example/setup/", &[("name", "unharmed")]).await?;
    assert!(goes_on.dialog()?.success, "a setup of an unchanged plugin continues");
    owner.start_setup("acme", "two-steps").await?;
    let next = owner.post("/extensions/two-steps/setup/", &[("a", "one")]).await?;
    assert!(next.text.contains("Step 2 of 2"), "and the changed one works");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_options_begin_a_new_life_and_end_flows_under_the_old_ones() -> Result<()> {
    let with = |to: &str| bare().plugin("misbehaving").toml(&format!("[redirects]\nto = \"https://{to}.example/\""));
    let (host, owner) = running(with("first")).await?;
    assert_eq!(owner.start_setup("acme", "redirects").await?.status_and_location(), (302, "https://first.example/"));
    host.reconfigure(&with("second"))?;
    assert_snapshot!(reload(&host)?.1, @"
    reloaded
      replaced  misbehaving
    ");
    assert_eq!(owner.visit("/extensions/redirects/setup/").await?.status_and_location(), (302, "/"));
    assert_snapshot!(log_line(&host, "integrations.setup.invalid-signature")?, @r#"INFO a setup may not go on reason=integrations.setup.invalid-signature setup.check="provider-changed" provider.id="redirects""#);
    assert_eq!(owner.start_setup("acme", "redirects").await?.status_and_location(), (302, "https://second.example/"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_and_another_order_of_keys_replace_no_plugin() -> Result<()> {
    let with = |toml: &str| bare().plugin("example").plugin("misbehaving").toml(toml);
    let plain = "[redirects]\nto = \"https://first.example/\"\n\
                 [providers.github]\nclient-id = \"i\"\nclient-secret = \"s\"\nscopes = [\"a\", \"b\"]\n\
                 [providers.google]\nclient-id = \"i\"\nclient-secret = \"s\"";
    let (host, _) = running(with(plain)).await?;
    let pids = |host: &Host| anyhow::Ok((pid(host, "example")?, pid(host, "misbehaving")?));
    let before = pids(&host)?;

    let commented = "# Two services, and where they lead.\n\n[providers.google] # Google\nclient-secret = 's'\nclient-id = \"i\"\n\
                     [providers.github]\n# The scopes.\nscopes = [\n  \"a\", # one\n  \"b\",\n]\nclient-id = \"i\"\nclient-secret = \"s\"\n\
                     # Elsewhere.\n[redirects]\nto = \"\"\"https://first.example/\"\"\"";
    host.reconfigure(&with(commented))?;
    assert_snapshot!(reload(&host)?.1, @"
    reloaded
      kept      example, misbehaving, providers.github, providers.google
    ");
    assert_eq!(pids(&host)?, before, "no worker has been replaced");

    host.reconfigure(&with(&commented.replace("  \"b\",\n", "")))?;
    assert_snapshot!(reload(&host)?.1, @"
    reloaded
      replaced  providers.github
      kept      example, misbehaving, providers.google
    ");
    host.reconfigure(&with(&commented.replace("  \"b\",\n", "").replace("first", "second")))?;
    assert_snapshot!(reload(&host)?.1, @"
    reloaded
      replaced  misbehaving
      kept      example, providers.github, providers.google
    ");
    let after = pids(&host)?;
    assert_eq!((after.0 == before.0, after.1 == before.1), (true, false), "only the one concerned is another worker");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_changes_nothing_and_says_why() -> Result<()> {
    let (host, owner) = running(bare().plugin("example")).await?;
    let before = pid(&host, "example")?;
    let good = fs::read(library(&host, "example"))?;

    fs::remove_file(library(&host, "example"))?;
    fs::write(library(&host, "example"), &good[..good.len() / 2])?;
    let (is_done, said) = reload(&host)?;
    assert!(!is_done, "a bad new version");
    assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: plugins/libexample.so: truncated: found [number] bytes, wanted [key]
      help: copy the file again; it was probably cut while being copied
    ");

    fs::remove_file(library(&host, "example"))?;
    fs::write(library(&host, "example"), &good)?;
    host.reconfigure(&bare().plugin("example").listed("nowhere").toml("[http]\ntimeout = \"long\""))?;
    let (is_done, said) = reload(&host)?;
    assert!(!is_done, "a bad configuration");
    assert_snapshot!(redacted(&said), @"
    error: 2 mistakes in the configuration
    FOLDER/jackfield.toml:1: default-integrations: no plugin named `nowhere`: looked for plugins/libnowhere.so, plugins/nowhere.so
      help: put the library there, add its folder to plugins.path, or list its path instead
    FOLDER/jackfield.toml:11: http.timeout: wrong type: found text, wanted a whole number
      help: write a whole number
    ");

    host.reconfigure(&bare().plugin("example").plugin("bad_options").toml("[bad-options]\nprt = 3"))?;
    let (is_done, said) = reload(&host)?;
    assert!(!is_done, "bad options");
    assert_snapshot!(redacted(&said), @"
    error: 2 mistakes in the configuration
    FOLDER/jackfield.toml:10: bad-options.port: missing
      help: write port = …
    FOLDER/jackfield.toml:11: bad-options.prt: unknown option
      help: did you mean `port`?
    ");

    assert_eq!(pid(&host, "example")?, before, "nothing has changed");
    add_example(&owner, "acme", "still here").await?;
    assert_snapshot!(log_line(&host, "the configuration is not reloaded: everything is as it was")?, @r"ERROR the configuration is not reloaded: everything is as it was error=2 mistakes in the configuration\n[folder]/jackfield.toml:10: bad-options.port: missing\n  help: write port = …\n[folder]/jackfield.toml:11: bad-options.prt: unknown option\n  help: did you mean `port`?");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_skips_what_does_not_load_keeps_what_runs() -> Result<()> {
    let skipping = |options: &str| {
        let toml = format!("[plugins]\non-failure = \"skip\"\n[redirects]\n{options}");
        bare().plugin("example").plugin("misbehaving").toml(&toml)
    };
    let (host, owner) = running(skipping("to = \"https://first.example/\"")).await?;
    host.reconfigure(&skipping("too = 3"))?;
    fs::remove_file(library(&host, "example"))?;
    fs::write(library(&host, "example"), "junk")?;
    let (is_done, said) = reload(&host)?;
    assert!(is_done);
    assert_snapshot!(redacted(&said), @"
    reloaded
      kept      example, misbehaving
    skipped: FOLDER/jackfield.toml:1: default-integrations: plugins/libexample.so: not a library: found a text file, wanted an ELF shared library
      help: list the plugin's .so file, as `cargo build --release` makes it for a cdylib
    skipped: FOLDER/jackfield.toml:13: redirects.too: unknown option
      help: did you mean `to`?
    ");
    add_example(&owner, "acme", "still here").await?;
    assert_eq!(owner.start_setup("acme", "redirects").await?.status_and_location(), (302, "https://first.example/"));
    Ok(())
}

#[test]
fn what_was_wrong_at_the_start_and_still_is_is_told_once() -> Result<()> {
    let toml = "[plugins]\non-failure = \"skip\"\n[redirects]\ntoo = 3";
    let host = bare().plugin("misbehaving").toml(toml).start()?;
    let (is_done, said) = reload(&host)?;
    assert!(is_done);
    assert_snapshot!(redacted(&said), @"
    reloaded
      kept      misbehaving
    skipped: FOLDER/jackfield.toml:13: redirects.too: unknown option
      help: did you mean `to`?
    ");
    assert_eq!(said.matches("redirects.too: unknown option").count(), 1, "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_comes_and_goes_and_its_integrations_stay_visible() -> Result<()> {
    let (host, owner) = running(bare().plugin("misbehaving")).await?;
    assert_eq!(owner.visit("/organizations/acme/integrations/example/setup/").await?.status, 404);

    host.reconfigure(&bare().plugin("misbehaving").plugin("example"))?;
    assert_snapshot!(reload(&host)?.1, @"
    reloaded
      added     example
      kept      misbehaving
    ");
    add_example(&owner, "acme", "kept").await?;
    owner.start_setup("acme", "example").await?;

    host.reconfigure(&bare().plugin("misbehaving"))?;
    assert_snapshot!(reload(&host)?.1, @"
    reloaded
      removed   example
      kept      misbehaving
    ");
    assert_eq!(owner.visit("/extensions/example/setup/").await?.status, 404, "a running setup as well");
    let page = owner.visit("/organizations/acme/integrations/").await?;
    assert!(page.text.contains("kept") && page.text.contains("Unavailable"), "{}", page.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn features_change_at_once_and_what_needs_a_restart_is_told() -> Result<()> {
    let (host, owner) = running(bare().plugin("example")).await?;
    let off = bare().plugin("example").toml("[features]\n\"organizations:integrations-v3\" = false");
    host.reconfigure(&off.url_prefix("http://elsewhere.example"))?;
    let (is_done, said) = reload(&host)?;
    assert!(is_done);
    assert_snapshot!(redacted(&said), @"
    reloaded
      kept      example
    note: system.url-prefix take effect with the next start only
    ");
    let start = owner.visit("/organizations/acme/integrations/example/setup/").await?;
    assert_eq!(start.status_and_location(), (302, "/"), "the feature is off");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_provider_is_reloaded_like_a_plugin() -> Result<()> {
    let declared = |scopes: &str| {
        let client = "client-id = \"x\"\nclient-secret = \"hunter2\"";
        bare().toml(&format!("[providers.github]\n{client}\nscopes = [{scopes}]\n[providers.gitlab]\n{client}\n"))
    };
    let (host, owner) = running(declared("\"repo\"")).await?;
    owner.start_setup("acme", "github").await?;
    owner.start_setup("acme", "gitlab").await?;
    host.reconfigure(&declared("\"gist\""))?;
    let (is_done, said) = reload(&host)?;
    assert!(is_done);
    assert_snapshot!(redacted(&said), @"
    reloaded
      replaced  providers.github
      kept      providers.gitlab
    ");
    assert_eq!(
        owner.visit("/extensions/github/setup/").await?.status_and_location(),
        (302, "/"),
        "a setup of the changed one ends"
    );
    assert_eq!(owner.visit("/extensions/gitlab/setup/").await?.redirect()?.host_str(), Some("gitlab.com"));
    let sent = owner.start_setup("acme", "github").await?.redirect()?;
    let random = [(r"(state|code_challenge)=[\w-]+", "$1=[random]"), (r"127\.0\.0\.1%3A\d+", "127.0.0.1%3A[port]")];
    assert_snapshot!(redacted_with(sent.as_str(), &random), @"https://github.com/login/oauth/authorize?client_id=x&response_type=code&scope=gist&state=[random]&redirect_uri=http%3A%2F%2F127.0.0.1%3A[port]%2Fextensions%2Fgithub%2Fsetup%2F&code_challenge=[random]&code_challenge_method=S256");
    host.reconfigure(&bare())?;
    assert_snapshot!(reload(&host)?.1, @"
    reloaded
      removed   providers.github, providers.gitlab
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads_as_well() -> Result<()> {
    let (host, owner) = running(bare().plugin("example")).await?;
    host.reconfigure(&bare().plugin("example").plugin("misbehaving"))?;
    host.signal("HUP")?;
    // The reload runs in the background: only its result can be seen.
    while owner.visit("/organizations/acme/integrations/two-steps/setup/").await?.status == 404
        || !host.log()?.contains("the configuration is reloaded")
    {
        tokio::task::yield_now().await;
    }
    assert_snapshot!(log_line(&host, "the configuration is reloaded")?, @r#"INFO the configuration is reloaded changes=Changes { added: ["misbehaving"], replaced: [], removed: [], kept: ["example"], starting: [] } skipped=[] needs_restart=[]"#);
    Ok(())
}

#[test]
fn without_a_running_host_there_is_nothing_to_reload() -> Result<()> {
    let folder = bare().plugin("example").folder_only();
    let output = folder.run(&["reload"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_snapshot!(said, @r"
    error: no host answers at data/jackfield.sock (system.control)
      help: start one with `jackfield serve`, or run this where it was started and as its user
    ");
    assert!(!output.status.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_in_the_same_place_leaves_the_control_socket_to_the_first() -> Result<()> {
    let (host, _owner) = running(bare().plugin("example")).await?;
    let socket = host.folder().join("data/jackfield.sock");
    let shared = bare().plugin("misbehaving").toml("").control(&socket).start()?;
    assert_snapshot!(log_line(&shared, "another host answers there")?, @"WARN no control socket (system.control): `jackfield reload` cannot reach this host, SIGHUP can error=another host answers there path=[folder]/data/jackfield.sock");
    drop(shared);
    assert!(host.output(&["plugin", "list"])?.1.starts_with("example: running"), "it still answers");
    Ok(())
}

/// Setups of an unchanged plugin continue while another plugin is replaced again and again.
#[tokio::test(flavor = "multi_thread")]
async fn reloads_under_load_lose_no_request() -> Result<()> {
    const PEOPLE: usize = 4;
    const RELOADS: usize = 12;
    let (host, _) = running(bare().plugin("example").plugin("misbehaving")).await?;
    let (is_over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut users = Vec::new();
    for number in 0..PEOPLE {
        let owner = log_in(&host, "owner@example.com").await?;
        let (is_over, done) = (is_over.clone(), done.clone());
        users.push(tokio::spawn(async move {
            let mut round = 0;
            while !is_over.load(Ordering::Relaxed) {
                add_example(&owner, "acme", &format!("{number}-{round}")).await?;
                let list = owner.visit("/organizations/acme/integrations/").await?;
                ensure!(list.status == 200, "the list answered {}", list.status);
                done.fetch_add(1, Ordering::Relaxed);
                round += 1;
            }
            anyhow::Ok(())
        }));
    }
    for _ in 0..RELOADS {
        let before = done.load(Ordering::Relaxed);
        rebuild(&host, "misbehaving")?;
        let (is_done, said) = reload(&host)?;
        ensure!(is_done, "{said}");
        allow_duplicates! {
            assert_snapshot!(said, @"
            reloaded
              replaced  misbehaving
              kept      example
            ");
        }
        while done.load(Ordering::Relaxed) == before && users.iter().all(|user| !user.is_finished()) {
            tokio::task::yield_now().await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for user in users {
        user.await??;
    }
    let done = done.load(Ordering::Relaxed);
    writeln!(std::io::stderr(), "{done} setups beside {RELOADS} reloads")?;
    assert!(done >= RELOADS, "{done} setups");
    Ok(())
}
