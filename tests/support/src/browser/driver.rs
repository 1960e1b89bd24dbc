//! Finds ChromeDriver and Chromium, installs them where allowed, and starts them.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use fantoccini::wd::Capabilities;
use serde_json::json;

/// A running ChromeDriver. It ends, with its browser, when this is dropped.
pub(super) struct Driver {
    process: Child,
    pub(super) url: String,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain([Path::new("/usr/bin").to_owned()])
        .map(|folder| folder.join(name))
        .find(|file| file.exists())
}

/// Installs Debian's packages, if this user may.
pub(super) fn install() -> Result<()> {
    if program("chromedriver").is_some() && program("chromium").is_some() {
        return Ok(());
    }
    let id = Command::new("id").arg("-u").output()?;
    ensure!(id.stdout.starts_with(b"0\n"), "not installed: apt-get install chromium chromium-driver");
    eprintln!("installing Chromium for the tests (apt-get install chromium chromium-driver)");
    for arguments in
        [&["update", "-qq"][..], &["install", "-qq", "-y", "--no-install-recommends", "chromium", "chromium-driver"]]
    {
        let run = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()?;
        ensure!(run.status.success(), "apt-get {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(())
}

impl Driver {
    pub(super) fn start() -> Result<Self> {
        let program = program("chromedriver").context("no chromedriver")?;
        let mut process = Command::new(program).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let out = process.stdout.take().context("stdout is piped")?;
        for line in BufReader::new(out).lines() {
            let line = line?;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                return Ok(Self { process, url });
            }
        }
        bail!("chromedriver ended at once")
    }
}

pub(super) fn capabilities() -> Capabilities {
    let arguments = [
        "--headless=new",
        "--no-sandbox", // tests run as root in CI
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-sync",
        "--disable-features=Translate,OptimizationHints,MediaRouter",
        // A request to any other host fails at once, and the test sees it.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        "--window-size=1200,900",
    ];
    let options = json!({
        "goog:chromeOptions": {"args": arguments, "binary": program("chromium")},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    });
    serde_json::from_value(options).expect("capabilities are a JSON object")
}
