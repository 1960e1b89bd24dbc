//! A real browser: Debian's Chromium, driven over WebDriver.

mod axe;
mod driver;

use std::{sync::OnceLock, time::Duration};

use anyhow::{Result, bail, ensure};
use driver::{Driver, capabilities, install};
pub use fantoccini::wd::WindowHandle;
use fantoccini::{Client, ClientBuilder, Locator, elements::Element, error::CmdError, wd::WebDriverCompatibleCommand};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::postgres::must_run_all;

/// A new browser with one window.
pub struct Browser {
    client: Client,
    // Ends the driver and the browser when this is dropped.
    _driver: Driver,
}

/// How long to wait for something to appear. Waiting ends as soon as it does.
const PATIENCE: Duration = Duration::from_secs(20);

/// A new browser; `None`, with a loud message, where there is none.
///
/// # Panics
/// When there is none and everything must run.
pub async fn fresh_browser() -> Option<Browser> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| install().map_err(|error| format!("{error:#}")));
    let started = match installed {
        Ok(()) => Browser::start().await.map_err(|error| format!("{error:#}")),
        Err(error) => Err(error.clone()),
    };
    match started {
        Ok(browser) => Some(browser),
        Err(error) if must_run_all() => panic!("a browser is needed: {error}"),
        Err(error) => {
            eprintln!("\n*** SKIPPED: a test in a real browser, because there is none: {error}\n");
            None
        }
    }
}

/// A command that WebDriver itself does not have: ChromeDriver's log and DevTools endpoints.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    async fn start() -> Result<Self> {
        let driver = Driver::start()?;
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities()).connect(&driver.url).await?;
        Ok(Self { client, _driver: driver })
    }

    /// Opens a URL.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn open(&self, url: &str) -> Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// The URL that is shown.
    ///
    /// # Errors
    /// When the browser cannot tell.
    pub async fn url(&self) -> Result<String> {
        Ok(self.client.current_url().await?.into())
    }

    /// Waits for an element.
    ///
    /// # Errors
    /// When it does not appear; with what the page shows.
    pub async fn find(&self, css: &str) -> Result<Element> {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => Ok(element),
            Err(error) => {
                bail!("{css} does not appear at {}: {error}\n{}", self.url().await?, self.text("body").await?)
            }
        }
    }

    /// Waits for an element and clicks it.
    ///
    /// # Errors
    /// When it does not appear or cannot be clicked.
    pub async fn click(&self, css: &str) -> Result<()> {
        Ok(self.find(css).await?.click().await?)
    }

    /// Waits for an element and clicks it, and does not wait for the result. For a click after
    /// which the window closes itself: ChromeDriver may wait for that forever.
    ///
    /// # Errors
    /// When it does not appear.
    pub async fn click_and_leave(&self, css: &str) -> Result<()> {
        self.find(css).await?;
        let script = "const [css] = arguments; setTimeout(() => document.querySelector(css).click(), 50);";
        Ok(self.client.execute(script, vec![json!(css)]).await.map(drop)?)
    }

    /// Waits for a field and types into it.
    ///
    /// # Errors
    /// When it does not appear.
    pub async fn fill(&self, css: &str, text: &str) -> Result<()> {
        let field = self.find(css).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Presses keys wherever the focus is.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn press(&self, keys: &str) -> Result<()> {
        Ok(self.client.active_element().await?.send_keys(keys).await?)
    }

    /// The visible text of the first element that fits.
    ///
    /// # Errors
    /// When there is none.
    pub async fn text(&self, css: &str) -> Result<String> {
        Ok(self.client.find(Locator::Css(css)).await?.text().await?)
    }

    /// Waits until an element contains a text.
    ///
    /// # Errors
    /// When it never does; with what it contains instead.
    pub async fn wait_for_text(&self, css: &str, text: &str) -> Result<()> {
        let script = "const [css, text] = arguments; \
             return [...document.querySelectorAll(css)].some((element) => element.innerText.includes(text));";
        self.until(script, vec![json!(css), json!(text)], &format!("{css} never says {text:?}")).await
    }

    /// Waits until a script returns true.
    ///
    /// # Errors
    /// When it never does.
    pub async fn until(&self, script: &str, arguments: Vec<Value>, otherwise: &str) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.client.execute(script, arguments.clone()).await {
                Ok(Value::Bool(true)) => return Ok(()),
                Ok(_) => {}
                // The page is changing, or the window is closing.
                Err(CmdError::Standard(_)) => {}
                Err(error) => return Err(error.into()),
            }
            if tokio::time::Instant::now() > deadline {
                bail!("{otherwise} at {}: {}", self.url().await?, self.text("body").await?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs a script in the page.
    ///
    /// # Errors
    /// When it throws.
    pub async fn run(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// The window that is driven.
    ///
    /// # Errors
    /// When the browser cannot tell.
    pub async fn window(&self) -> Result<WindowHandle> {
        Ok(self.client.window().await?)
    }

    /// Drives another window.
    ///
    /// # Errors
    /// When there is no such window.
    pub async fn switch_to(&self, window: &WindowHandle) -> Result<()> {
        Ok(self.client.switch_to_window(window.clone()).await?)
    }

    /// Waits for the pop-up that a click in this window opened, and drives it.
    ///
    /// # Errors
    /// When none opens.
    pub async fn switch_to_popup(&self, opener: &WindowHandle) -> Result<WindowHandle> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(popup) = self.client.windows().await?.into_iter().find(|window| window != opener) {
                self.switch_to(&popup).await?;
                return Ok(popup);
            }
            ensure!(tokio::time::Instant::now() < deadline, "no pop-up opens");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the window that is driven is the only one.
    ///
    /// # Errors
    /// When another stays.
    pub async fn until_alone(&self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.client.windows().await?.len() > 1 {
            ensure!(tokio::time::Instant::now() < deadline, "another window stays open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Drives the frame of an element, or of the shadow root of an element, until another window
    /// is driven.
    ///
    /// # Errors
    /// When there is none.
    pub async fn enter_frame(&self, css: &str) -> Result<()> {
        let is_there = "const [css] = arguments; const element = document.querySelector(css); \
             return element !== null && (element.shadowRoot ?? element.parentNode).querySelector('iframe') !== null;";
        self.until(is_there, vec![json!(css)], "the frame is there").await?;
        let script = "const [css] = arguments; const element = document.querySelector(css); \
             return (element.shadowRoot ?? element).querySelector('iframe') ?? element;";
        let frame = self.client.execute(script, vec![json!(css)]).await?;
        let id = frame.as_object().and_then(|element| element.values().next()?.as_str()).unwrap_or_default();
        let frame = Element::from_element_id(self.client.clone(), id.to_owned().into());
        Ok(frame.enter_frame().await?)
    }

    /// Opens another tab and drives it.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn new_tab(&self) -> Result<WindowHandle> {
        let tab = self.client.new_window(true).await?.handle;
        self.switch_to(&tab).await?;
        Ok(tab)
    }

    /// Closes the window that is driven.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn close_window(&self) -> Result<()> {
        Ok(self.client.close_window().await?)
    }

    /// Shows pages in this width, light or dark.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn emulate(&self, width: u32, is_dark: bool) -> Result<()> {
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media).await?;
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await.map(drop)
    }

    /// Takes a picture of the whole page, PNG.
    ///
    /// # Errors
    /// When the browser cannot.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({"cmd": command, "params": parameters});
        Ok(self.client.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await?)
    }

    async fn log(&self, kind: &str) -> Result<Vec<Value>> {
        let log = self.client.issue_cmd(Vendor { path: "se/log", body: json!({"type": kind}) }).await?;
        Ok(log.as_array().cloned().unwrap_or_default())
    }

    /// Asserts that the console contains a text, and clears the console: for an error that is
    /// expected.
    ///
    /// # Errors
    /// When it does not say so.
    pub async fn assert_console_says(&self, text: &str) -> Result<()> {
        let said = self.log("browser").await?;
        let is_said = said.iter().any(|entry| entry["message"].as_str().is_some_and(|message| message.contains(text)));
        ensure!(is_said, "the console says {said:?}");
        Ok(())
    }

    /// Asserts that since the last call the window has logged no error and sent requests to these
    /// origins only.
    ///
    /// # Errors
    /// With what was logged or requested.
    pub async fn assert_quiet(&self, origins: &[&str]) -> Result<()> {
        for entry in self.log("browser").await? {
            let level = entry["level"].as_str().unwrap_or_default();
            ensure!(!matches!(level, "SEVERE" | "WARNING"), "the console says {}", entry["message"]);
        }
        for entry in self.log("performance").await? {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or_default())?;
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = message["params"]["request"]["url"].as_str().unwrap_or_default();
                let is_ours = origins.iter().any(|origin| url.starts_with(&format!("{origin}/")));
                ensure!(is_ours || url.starts_with("data:") || url.starts_with("chrome://"), "asked for {url}");
            }
        }
        Ok(())
    }

    /// Runs axe-core in the page and returns its violations. Returns none, with a loud message,
    /// where there is no axe-core.
    ///
    /// # Errors
    /// When it cannot be run, or is not there and everything must run.
    pub async fn accessibility(&self) -> Result<Vec<String>> {
        let source = match axe::source() {
            Ok(source) => source,
            Err(error) if must_run_all() => return Err(error),
            Err(error) => {
                eprintln!("\n*** SKIPPED: the accessibility part of a test: {error:#}\n");
                return Ok(Vec::new());
            }
        };
        self.client.execute(&source, Vec::new()).await?;
        let script = "const done = arguments[arguments.length - 1]; \
             axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}) \
             .then((result) => done(result.violations.flatMap((violation) => violation.nodes.map((node) => \
             `${violation.id}: ${node.html} ${node.failureSummary}`))), (error) => done([String(error)]));";
        let found = self.client.execute_async(script, Vec::new()).await?;
        Ok(found.as_array().into_iter().flatten().map(|line| line.as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Ends the browser.
    ///
    /// # Errors
    /// When it is gone already.
    pub async fn close(self) -> Result<()> {
        // The driver is killed anyway: a browser that hangs at its end fails no test.
        let _ = tokio::time::timeout(PATIENCE, self.client.clone().close()).await;
        Ok(())
    }
}
