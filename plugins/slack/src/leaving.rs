//! The way out of Slack: the app is uninstalled, or each token is revoked.

use jackfield_plugin::{Error, Grant, Host, HttpRequest, Leaving, Result, Revoked, Value};

use super::{API, Slack};

/// What Slack says of a call: `ok` or an error, and for how many seconds it wants to be left alone.
struct Said {
    word: String,
    seconds: Option<u64>,
    answer: Value,
}

/// Errors of a token that does not work any more: <https://docs.slack.dev/reference/methods/auth.revoke>.
const DEAD: [&str; 4] = ["ok", "token_revoked", "account_inactive", "invalid_auth"];

impl Slack {
    /// <https://docs.slack.dev/reference/methods/apps.uninstall> ends every token of the installation. Slack refuses it for some tokens, and
    /// to some apps: then each goes alone.
    pub(super) async fn leave(&self, leaving: Leaving, host: Host) -> Result<Revoked> {
        let mut words = Vec::new();
        if let Some(first) = leaving.grants.first().filter(|_| leaving.is_whole) {
            let said = self.with_token("apps.uninstall", first, &host).await?;
            match (said.seconds, &*said.word) {
                (Some(seconds), word) => return Ok(Revoked::later(format!("apps.uninstall: {word}"), seconds)),
                (_, "ok") => return Ok(Revoked::done("apps.uninstall: ok")),
                (_, word) => words.push(format!("apps.uninstall: {word}")),
            }
        }
        // The end of a bot's token takes the bot out of its channels: not while the workspace is connected.
        for grant in leaving.grants.iter().filter(|grant| !(leaving.is_connected && grant.name == "bot")) {
            let said = self.with_token("auth.revoke", grant, &host).await?;
            let told = format!("auth.revoke of {}: {}", grant.name, said.word);
            match said.seconds {
                Some(seconds) => return Ok(Revoked::later(told, seconds)),
                None if DEAD.contains(&&*said.word) => words.push(told),
                None => return Err(Error::new(told)),
            }
        }
        Ok(Revoked::done(if words.is_empty() { "nothing to revoke".to_owned() } else { words.join(", ") }))
    }

    /// One call with a grant's token. One that has expired calls nothing, not even its own end, but its refresh token lives on.
    async fn with_token(&self, method: &str, grant: &Grant, host: &Host) -> Result<Said> {
        let client = [("client_id", self.client_id.as_str()), ("client_secret", self.client_secret.as_str())];
        let form = if method == "apps.uninstall" { &client[..] } else { &[] };
        let said = self.call(method, form, grant.access_token.expose(), host).await?;
        let Some(refresh) = grant.refresh_token.as_ref().filter(|_| said.word == "token_expired") else {
            return Ok(said);
        };
        let asked = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose()), client[0], client[1]];
        let fresh = self.call("oauth.v2.access", &asked, "", host).await?;
        match fresh.answer["access_token"].as_str() {
            Some(token) => self.call(method, form, token, host).await,
            None => Ok(Said { word: fresh.word.replace("invalid_refresh_token", "token_revoked"), ..fresh }),
        }
    }

    async fn call(&self, method: &str, form: &[(&str, &str)], token: &str, host: &Host) -> Result<Said> {
        let token_url = self.token_url.as_deref().unwrap_or(API);
        let base = token_url.rsplit_once('/').map_or(token_url, |(base, _)| base);
        let request = HttpRequest::post(format!("{base}/{method}")).form(form.iter().copied());
        let response = host.send(if token.is_empty() { request } else { request.bearer(token) }).await?;
        if response.status >= 500 {
            return Err(Error::new(format!("{method}: Slack answered status {}", response.status)));
        }
        let after = || response.header("retry-after").and_then(|text| text.parse().ok()).unwrap_or(60);
        let seconds = (response.status == 429).then(after);
        let answer: Value = response.json().unwrap_or_default();
        let status = format!("status {}", response.status);
        let word = if answer["ok"] == true { "ok" } else { answer["error"].as_str().unwrap_or(&status) }.to_owned();
        Ok(Said { word, seconds, answer })
    }
}
