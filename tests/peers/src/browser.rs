//! A person at a browser who goes through a whole setup. The person agrees at once: a visit to
//! Slack's page costs the host nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use url::Url;

use crate::{
    connection::{Answer, Connection},
    load::{Outcome, Person},
    service::AUTHORIZE,
};

/// The password of all people.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// More redirects than any setup has.
const MAX_REDIRECTS: usize = 8;

/// A browser with cookies and one connection.
pub(crate) struct Browser {
    connection: Connection,
    address: String,
    cookies: BTreeMap<String, String>,
}

/// A person who sets Slack up again and again, each time for another workspace.
pub(crate) struct Installer {
    browser: Browser,
    /// Where a setup begins.
    start: String,
    /// What the last page says.
    success: &'static str,
}

impl Browser {
    /// A browser without cookies, at `127.0.0.1:8000`.
    pub(crate) async fn at(address: &str) -> Result<Self> {
        let connection = Connection::to(address).await?;
        Ok(Self { connection, address: address.to_owned(), cookies: BTreeMap::new() })
    }

    /// The same browser with one more cookie.
    pub(crate) fn with_cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Logs in at a host of ours.
    pub(crate) async fn log_in(&mut self, email: &str) -> Result<()> {
        let status = self.try_to_log_in(email).await?;
        ensure!(status == 302, "the log-in was answered with {status}");
        Ok(())
    }

    /// The status of a log-in's answer.
    pub(crate) async fn try_to_log_in(&mut self, email: &str) -> Result<u16> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("email", email), ("password", PASSWORD), ("next", "/")])
            .finish();
        Ok(self.post("/auth/login/", &form).await?.status)
    }

    /// Visits a path.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{}\r\n", self.address, self.cookie_line());
        self.ask(&request).await
    }

    /// Posts a form.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Result<Answer> {
        let (address, cookies, length) = (&self.address, self.cookie_line(), form.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\n{cookies}content-type: application/x-www-form-urlencoded\r\n\
             content-length: {length}\r\n\r\n{form}"
        );
        self.ask(&request).await
    }

    async fn ask(&mut self, request: &str) -> Result<Answer> {
        let answer = self.connection.ask(request.as_bytes()).await?;
        let given = answer.headers("set-cookie").filter_map(|cookie| cookie.split(';').next()?.split_once('='));
        self.cookies.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if answer.is_last() {
            self.connection = Connection::to(&self.address).await?;
        }
        Ok(answer)
    }

    fn cookie_line(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { String::new() } else { format!("cookie: {}\r\n", pairs.join("; ")) }
    }
}

impl Installer {
    pub(crate) fn new(browser: Browser, start: &str, success: &'static str) -> Self {
        Self { browser, start: start.to_owned(), success }
    }
}

impl Person for Installer {
    async fn turn(&mut self, number: usize) -> Result<Outcome> {
        let mut answer = self.browser.get(&self.start).await?;
        for _ in 0..MAX_REDIRECTS {
            if answer.status == 503 {
                return Ok(Outcome::Refused);
            }
            let Some(location) = answer.location() else {
                let is_done = answer.status == 200 && answer.text().contains(self.success);
                ensure!(is_done, "setup {number} ended with {}: {}", answer.status, answer.text());
                return Ok(Outcome::Done);
            };
            let next = next(location, number)?;
            answer = self.browser.get(&next).await?;
        }
        bail!("setup {number} never ends")
    }
}

/// The path and query to visit next. At Slack it is the callback, with a code for workspace
/// `number`.
fn next(location: &str, number: usize) -> Result<String> {
    let Some(query) = location.strip_prefix(AUTHORIZE) else { return path_of(location) };
    let query = query.trim_start_matches('?');
    let parameters: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let callback = parameters.get("redirect_uri").context("a redirect URI")?;
    let state = parameters.get("state").context("a state")?;
    let state: String = url::form_urlencoded::byte_serialize(state.as_bytes()).collect();
    Ok(format!("{}?code=T{number}&state={state}", path_of(callback)?))
}

fn path_of(url: &str) -> Result<String> {
    if url.starts_with('/') {
        return Ok(url.to_owned());
    }
    let url = Url::parse(url).with_context(|| format!("a redirect to {url:?}"))?;
    Ok(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_from_slack_has_a_code_and_the_state() -> Result<()> {
        let slack = format!("{AUTHORIZE}?client_id=1.2&redirect_uri=http%3A%2F%2Fh%3A1%2Fback%2F&state=a%2Bb");
        assert_eq!(next(&slack, 7)?, "/back/?code=T7&state=a%2Bb");
        assert_eq!(next("http://h:1/step/?a=b", 7)?, "/step/?a=b");
        assert_eq!(next("/step/", 7)?, "/step/");
        Ok(())
    }
}
