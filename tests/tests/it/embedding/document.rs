//! `host/EMBEDDING.md`, followed to the letter: from nothing to "connected, and told".

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{browser::fresh_browser, host::Host, interop::interop};
use jackfield_tidy::root;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    app::{TestApp, program},
    pages::browser_app::look,
};

/// The shop's server, and the shell that has started it. They end when this is dropped.
struct Shop(Child);

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The blocks of code of the section, with their languages.
fn blocks(document: &str) -> Result<Vec<(&str, &str)>> {
    let section = document.split_once("\n## Ten minutes\n").context("the section")?.1;
    let section = section.split_once("\n## ").context("the end of the section")?.0;
    let parts = section.split("\n```").skip(1).step_by(2);
    parts.map(|part| part.split_once('\n').context("a block has lines")).collect()
}

/// What the page shows of one language, all in one.
fn shown(blocks: &[(&str, &str)], language: &str) -> String {
    let of_language = blocks.iter().filter(|(of, _)| *of == language);
    of_language.map(|(_, text)| format!("{text}\n")).collect()
}

/// A folder like that of the README, whose `./jackfield` is the host's.
fn prepare(folder: &Path, host: &Host) -> Result<()> {
    let program = program().path;
    let script = format!(
        "#!/bin/sh\ncd '{}'\nexec '{}' \"$@\" --config jackfield.toml\n",
        host.folder().display(),
        program.display()
    );
    fs::write(folder.join("jackfield"), script)?;
    fs::set_permissions(folder.join("jackfield"), fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Runs the commands, and waits until the shop is open.
fn open_shop(folder: &Path, commands: &str) -> Result<(Shop, String)> {
    let mut bash = Command::new("bash");
    bash.args(["-e", "-c", commands]).current_dir(folder).process_group(0).stdout(Stdio::piped());
    let mut shop = Shop(bash.spawn().context("bash")?);
    let out = shop.0.stdout.take().context("stdout is piped")?;
    for line in BufReader::new(out).lines() {
        let line = line?;
        if let Some((_, url)) = line.split_once("the shop is open at ") {
            return Ok((shop, url.to_owned()));
        }
    }
    anyhow::bail!("the commands of the page do not open the shop")
}

#[test]
fn the_example_product_is_the_one_of_the_page() -> Result<()> {
    let document = fs::read_to_string(root().join("host/EMBEDDING.md"))?;
    let blocks = blocks(&document)?;
    for (language, file) in [("js", "server.mjs"), ("html", "index.html")] {
        let example = fs::read_to_string(root().join("tests/example-product").join(file))?;
        assert_eq!(shown(&blocks, language), example, "{file}");
        assert!(example.lines().count() <= 70, "{file}: some fifty lines");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_page_connects_an_account_and_is_told() -> Result<()> {
    let (Some(_node), Some(browser)) = (interop(), fresh_browser().await) else { return Ok(()) };
    let app = TestApp::start().await?;
    let document = fs::read_to_string(root().join("host/EMBEDDING.md"))?;
    let blocks = blocks(&document)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let commands = shown(&blocks, "sh").replace("3000", &port).replace("http://127.0.0.1:8000", &app.host.url);
    ensure!(commands.contains(&app.host.url) && commands.contains(&format!("PORT={port}")), "{commands}");
    let folder = tempfile::tempdir()?;
    prepare(folder.path(), &app.host)?;
    fs::write(folder.path().join("server.mjs"), shown(&blocks, "js"))?;
    fs::write(folder.path().join("index.html"), shown(&blocks, "html"))?;
    let (_shop, url) = open_shop(folder.path(), &commands)?;

    browser.open(&url).await?;
    browser.wait_for_text("h1", "Shop").await?;
    look(&browser, "example-product").await?;
    let page = browser.window().await?;
    browser.click("#popup").await?;
    browser.switch_to_popup(&page).await?;
    browser.click("form[action*='/example/'] button").await?;
    browser.fill("input[name=name]", "of Ada").await?;
    browser.click_and_leave("button[type=submit]").await?;
    browser.switch_to(&page).await?;
    browser.wait_for_text("#state", "Example (of Ada) is connected.").await?;
    browser.wait_for_text("#told", "integration.connected: integration 1 of customer-7").await?;

    // The other ways of the same page.
    browser.click("#page").await?;
    browser.click("form[action*='/example/'] button").await?;
    browser.fill("input[name=name]", "by a full page").await?;
    browser.click("button[type=submit]").await?;
    browser.wait_for_text("#state", "Your account is connected.").await?;
    browser.wait_for_text("#told", "integration.connected: integration 2 of customer-7").await?;
    browser.click("#inline").await?;
    browser.enter_frame("jackfield-connect").await?;
    browser.wait_for_text("h1", "Connect an account").await?;
    browser.switch_to(&page).await?;
    browser.click("#mail").await?;
    browser.wait_for_text("#place", "/connect/jfc_").await?;
    browser.close().await
}
