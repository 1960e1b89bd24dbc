//! What somebody without an account can do to a host: nothing that outlasts them.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::{Context, Result};
use futures_util::future::join_all;
use insta::assert_snapshot;
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
};
use reqwest::Method;

use crate::app::{PASSWORD, TestApp, bare};

/// A log-in through a proxy that the host trusts.
async fn log_in_from(client: &HttpClient, address: &str, email: &str, password: &str) -> Result<HttpResponse> {
    let form = [("email", email), ("password", password), ("next", "/")];
    client.send(client.request(Method::POST, "/auth/login/").header("x-forwarded-for", address).form(&form)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_of_a_stranger_lock_nobody_out_and_guessing_stays_slow() -> Result<()> {
    for database in databases() {
        let proxied =
            |host: jackfield_test_support::host::HostBuilder| host.system(r#"trusted-proxies = ["127.0.0.1"]"#);
        let app = TestApp::start_with("v2", database, proxied).await?;
        app.log_in_as("owner").await?;
        let (stranger, known) = (HttpClient::new(&app.host.url), HttpClient::new(&app.host.url));
        let owner = "owner@example.com";
        assert_eq!(log_in_from(&known, "203.0.113.7", owner, PASSWORD).await?.status, 302);
        let mut looked_at = 0;
        for _ in 0..20 {
            let guess = log_in_from(&stranger, "203.0.113.7", owner, "wrong password").await?;
            looked_at += usize::from(guess.status == 401);
        }
        assert!(looked_at < 7, "{looked_at} of 20 guesses were looked at");
        let right = log_in_from(&known, "203.0.113.7", owner, PASSWORD).await?;
        assert_eq!(right.status, 302, "her browser was here before, and has a counter of its own");
        let elsewhere = log_in_from(&HttpClient::new(&app.host.url), "198.51.100.1", owner, PASSWORD).await?;
        assert_eq!(elsewhere.status, 302, "the stranger's address is not hers");
        let slowed = log_in_from(&stranger, "203.0.113.7", owner, PASSWORD).await?;
        assert_eq!(slowed.status, 429);
        assert!(slowed.header("retry-after").parse::<u32>().is_ok_and(|seconds| (1..=60).contains(&seconds)));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_strangers_guess_slowly_too() -> Result<()> {
    let proxied = |host: jackfield_test_support::host::HostBuilder| host.system(r#"trusted-proxies = ["127.0.0.1"]"#);
    let app = TestApp::start_with("v2", None, proxied).await?;
    let stranger = HttpClient::new(&app.host.url);
    let mut statuses = Vec::new();
    for n in 0..60 {
        let address = format!("203.0.113.{}", n + 1);
        statuses.push(log_in_from(&stranger, &address, "nobody@example.com", "x").await?.status);
    }
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!((45..=55).contains(&looked_at), "{statuses:?}");
    Ok(())
}

/// Memory of a process in MiB.
fn memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("a process has memory")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kilobytes / 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_ins_leaves_no_memory_behind() -> Result<()> {
    let host = bare().system(r#"trusted-proxies = ["127.0.0.1"]"#).start()?;
    let stranger = HttpClient::new(&host.url);
    let before = memory(host.pid())?;
    let mut hashed = 0;
    for round in 0..32 {
        let attempts = (0..8).map(|n| {
            let (address, email) = (format!("203.0.113.{}", round * 8 + n), format!("{round}-{n}@example.com"));
            let stranger = &stranger;
            async move { log_in_from(stranger, &address, &email, "wrong password").await }
        });
        hashed += join_all(attempts).await.into_iter().flatten().filter(|answer| answer.status == 401).count();
    }
    assert_eq!(hashed, 256);
    let large = format!("{}@example.com", "a".repeat(6000));
    for n in 0..100 {
        let address = format!("198.51.100.{n}");
        assert_eq!(log_in_from(&stranger, &address, &large, "x").await?.status, 401, "it is not looked at");
    }
    let huge = "a".repeat(9000);
    assert_eq!(log_in_from(&stranger, "198.51.100.200", &huge, "x").await?.status, 413);
    let after = memory(host.pid())?;
    // What the threads hold until they are idle: nineteen MiB for each core, four at most.
    assert!(after < before + 4 * 19 + 24, "{before} MiB before, {after} MiB after");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_are_refused_in_words_on_both_databases() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let (owner, stranger) = (app.log_in_as("owner").await?, HttpClient::new(&app.host.url));
        let posted = stranger.post("/auth/login/", &[("email", "a\0b"), ("password", "x")]).await?;
        assert_eq!(posted.status, 400, "{}", posted.text);
        for path in [
            "/organizations/a%00b/integrations/",
            "/organizations/acme/integrations/?cursor=a%00",
            "/organizations/acme/audit/?action=a%00",
            "/organizations/acme/integrations/1%00/",
            "/organizations/acme/integrations/a%00b/setup/",
            "/organizations/acme/integrations/example/setup/?integration=1%00",
            "/extensions/a%00b/setup/",
            "/extensions/a%0Ab/events/",
            "/extensions/example/webhook/a%00b/",
            "/icons/a%00/b",
            "/auth/login/?next=/a%00",
        ] {
            for client in [&owner, &stranger] {
                let answer = client.visit(path).await?;
                assert_eq!(answer.status, 400, "{path}: {}", answer.text);
            }
        }
        for path in [
            "/api/0/organizations/a%00b/integrations/",
            "/api/0/organizations/acme/audit/?provider=a%00",
            "/api/0/organizations/acme/integrations/1/token/?grant=a%00",
            "/api/0/organizations/acme/integrations/1%00/grants/",
            "/api/0/organizations/a%00b/integrations/1/proxy/x",
        ] {
            let answer = owner.visit(path).await?;
            assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            assert_eq!((answer.status, answer.json()?["code"].as_str()), (400, Some("bad-request")), "{path}");
        }
        let cursor = "eyJzb3J0X25hbWUiOiJhXHUwMDAwIiwiaWQiOiIxIn0";
        let status = owner.visit(&format!("/api/0/organizations/acme/integrations/?cursor={cursor}")).await?.status;
        assert!([200, 400].contains(&status), "a cursor of a stranger's making: {status}");
        assert!(!app.host.log()?.contains("ERROR"), "{}", app.host.log()?);
    }
    Ok(())
}

#[test]
fn a_secret_in_a_file_that_others_may_read_is_told() -> Result<()> {
    let folder = bare().toml("[providers.github]\nclient-id = \"i\"\nclient-secret = \"hush\"").folder_only();
    let file = folder.folder().join("jackfield.toml");
    let said = |mode: u32| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        let output = folder.run(&["config", "check"])?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        // What a backup is differs between the databases.
        let said: String = said.split_inclusive('\n').filter(|line| !line.starts_with("note: a backup is ")).collect();
        anyhow::Ok((output.status.success(), said.replace(&folder.folder().display().to_string(), "FOLDER")))
    };
    assert_snapshot!(said(0o644)?.1, @r#"
    warning: FOLDER/jackfield.toml:12: providers.github.client-secret: the secret stands in this file, and others may read the file
      help: chmod o-r FOLDER/jackfield.toml, or write client-secret = { file = "PATH" } or { env = "NAME" }
    FOLDER/jackfield.toml: no mistakes
    "#);
    assert_snapshot!(said(0o600)?.1, @"FOLDER/jackfield.toml: no mistakes");
    let text = fs::read_to_string(&file)?;
    let text = text.replace("[system]", &format!("[system]\nsecret-key = \"{}\"", "k".repeat(40)));
    fs::write(&file, text.replace("http://127.0.0.1:8000", "https://jackfield.example"))?;
    let (is_good, refused) = said(0o644)?;
    assert!(!is_good && refused.contains("system.secret-key: the secret stands in this file"), "{refused}");
    Ok(())
}
