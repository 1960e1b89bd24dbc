//! The way out of Slack: the app is uninstalled, or each token is revoked.

use jackfield_plugin::{Error, Grant, Host, HttpRequest, Result, RevokeRequest, Revoked, Value};

use super::{API, Slack};

/// What Slack says of a call: `ok` or an error, and for how many seconds it wants to be left alone.
struct Said {
    word: String,
    seconds: Option<u64>,
    /// Whether it has looked at the call at all.
    is_outage: bool,
    answer: Value,
}

/// A grant on its way out. Its refresh token is good for one exchange, so what that brings serves every call that follows.
struct Parting<'a> {
    grant: &'a Grant,
    fresh: Option<String>,
    is_exchanged: bool,
}

/// Errors of a token that does not work any more: <https://docs.slack.dev/reference/methods/auth.revoke>. That a refresh token is invalid is
/// none of them: it says that somebody has used it, and nothing of the tokens that came of that.
const DEAD: [&str; 4] = ["ok", "token_revoked", "account_inactive", "invalid_auth"];

impl Slack {
    /// <https://docs.slack.dev/reference/methods/apps.uninstall> ends every token of the installation. Slack refuses it for some tokens, and
    /// to some apps: then each goes alone.
    pub(super) async fn leave(&self, leaving: RevokeRequest, host: Host) -> Result<Revoked> {
        let mut words = Vec::new();
        let mut partings: Vec<_> = leaving.grants.iter().map(Parting::of).collect();
        if let Some(first) = partings.first_mut().filter(|_| leaving.is_whole) {
            let said = self.with_token("apps.uninstall", first, &host).await;
            let told = format!("apps.uninstall: {}", said.word);
            match (said.seconds, &*said.word) {
                (_, "ok") => return Ok(Revoked::done(told)),
                // Nobody but this call knows a fresh token: it goes with the others now, or lives on.
                _ if first.fresh.is_some() || !said.is_outage => words.push(told),
                (Some(seconds), _) => return Ok(Revoked::later(told, seconds)),
                (None, _) => return Err(Error::new(told)),
            }
        }
        // The end of a bot's token takes the bot out of its channels: not while the workspace is connected. Only a grant that is called the
        // person's surely is no bot's: that of a set-up that came to nothing is called neither.
        let going = partings.iter_mut().filter(|parting| !leaving.is_connected || parting.grant.name == "user");
        let (mut is_done, mut pause) = (true, None);
        for parting in going {
            let said = self.with_token("auth.revoke", parting, &host).await;
            words.push(format!("auth.revoke of {}: {}", parting.grant.name, said.word));
            is_done &= DEAD.contains(&&*said.word);
            pause = pause.max(said.seconds);
        }
        let words = if words.is_empty() { "nothing to revoke".to_owned() } else { words.join(", ") };
        match (is_done, pause) {
            (true, _) => Ok(Revoked::done(words)),
            (false, Some(seconds)) => Ok(Revoked::later(words, seconds)),
            (false, None) => Err(Error::new(words)),
        }
    }

    /// One call with a grant's token. One that has expired calls nothing, not even its own end, but its refresh token lives on:
    /// <https://docs.slack.dev/authentication/using-token-rotation>.
    async fn with_token(&self, method: &str, parting: &mut Parting<'_>, host: &Host) -> Said {
        let client = [("client_id", self.client_id.as_str()), ("client_secret", self.client_secret.as_str())];
        let form = if method == "apps.uninstall" { &client[..] } else { &[] };
        let said = self.call(method, form, parting.token(), host).await;
        let Some(refresh) = parting.exchangeable().filter(|_| said.word == "token_expired") else { return said };
        let asked = [("grant_type", "refresh_token"), ("refresh_token", refresh), client[0], client[1]];
        let fresh = self.call("oauth.v2.access", &asked, "", host).await;
        parting.is_exchanged = true;
        let Some(token) = fresh.answer["access_token"].as_str() else { return fresh };
        parting.fresh = Some(token.to_owned());
        self.call(method, form, token, host).await
    }

    async fn call(&self, method: &str, form: &[(&str, &str)], token: &str, host: &Host) -> Said {
        let token_url = self.token_url.as_deref().unwrap_or(API);
        let base = token_url.rsplit_once('/').map_or(token_url, |(base, _)| base);
        let request = HttpRequest::post(format!("{base}/{method}")).form(form.iter().copied());
        let request = if token.is_empty() { request } else { request.bearer(token) };
        let response = match host.send(request).await {
            Ok(response) => response,
            Err(error) => return Said::outage(error.to_string()),
        };
        if response.status >= 500 {
            return Said::outage(format!("Slack answered status {}", response.status));
        }
        let after = || response.header("retry-after").and_then(|text| text.parse().ok()).unwrap_or(60);
        let seconds = (response.status == 429).then(after);
        let answer: Value = response.json().unwrap_or_default();
        let status = format!("status {}", response.status);
        let word = if answer["ok"] == true { "ok" } else { answer["error"].as_str().unwrap_or(&status) }.to_owned();
        Said { word, seconds, is_outage: seconds.is_some(), answer }
    }
}

impl Said {
    fn outage(word: String) -> Self {
        Self { word, seconds: None, is_outage: true, answer: Value::Null }
    }
}

impl<'a> Parting<'a> {
    const fn of(grant: &'a Grant) -> Self {
        Self { grant, fresh: None, is_exchanged: false }
    }

    fn token(&self) -> &str {
        self.fresh.as_deref().unwrap_or_else(|| self.grant.access_token.expose())
    }

    fn exchangeable(&self) -> Option<&'a str> {
        self.grant.refresh_token.as_ref().filter(|_| !self.is_exchanged).map(|token| token.expose())
    }
}
