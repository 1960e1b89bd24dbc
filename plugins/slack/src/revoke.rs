//! Revokes Slack's tokens: uninstalls the app, or revokes each token.

use jackfield_plugin::{Error, Grant, Host, HttpRequest, Result, RevokeRequest, Revoked, Value};

use super::{API, Slack};

/// What Slack answers to a call of a method.
struct Reply {
    /// `ok`, or Slack's error.
    status: String,
    /// Seconds to wait, if there were too many calls.
    retry_after: Option<u64>,
    /// Whether Slack has not looked at the call: too many calls, or no useful answer.
    is_outage: bool,
    body: Value,
}

/// A grant to revoke. Its refresh token works once, so all further calls use the access token that
/// it brings.
struct RevokedGrant<'a> {
    grant: &'a Grant,
    refreshed: Option<String>,
    is_refresh_token_used: bool,
}

/// Errors of a token that works no more: <https://docs.slack.dev/reference/methods/auth.revoke>. An
/// invalid refresh token is not among them: somebody has used it, and the tokens that it brought
/// may still work.
const REVOKED: [&str; 4] = ["ok", "token_revoked", "account_inactive", "invalid_auth"];

impl Slack {
    /// <https://docs.slack.dev/reference/methods/apps.uninstall> revokes all tokens of the
    /// installation. Slack refuses it for some tokens and some apps. Then each token is revoked.
    pub(super) async fn revoke_grants(&self, request: RevokeRequest, host: Host) -> Result<Revoked> {
        let mut messages = Vec::new();
        let mut grants: Vec<_> = request.grants.iter().map(RevokedGrant::new).collect();
        if let Some(first) = grants.first_mut().filter(|_| request.is_uninstall) {
            let reply = self.call_with_token("apps.uninstall", first, &host).await;
            let message = format!("apps.uninstall: {}", reply.status);
            match (reply.retry_after, &*reply.status) {
                (_, "ok") => return Ok(Revoked::done(message)),
                // Nobody else knows a refreshed token. Revoke it now, or it lives on.
                _ if first.refreshed.is_some() || !reply.is_outage => messages.push(message),
                (Some(seconds), _) => return Ok(Revoked::retry_after(message, seconds)),
                (None, _) => return Err(Error::new(message)),
            }
        }
        // Without its token, a bot leaves its channels: not while the workspace is connected. Only
        // the name `user` is surely no bot's: a setup that failed has tokens of another name.
        let to_revoke = grants.iter_mut().filter(|one| !request.is_still_connected || one.grant.name == "user");
        let mut is_done = true;
        let mut retry_after = None;
        for one in to_revoke {
            let reply = self.call_with_token("auth.revoke", one, &host).await;
            messages.push(format!("auth.revoke of {}: {}", one.grant.name, reply.status));
            is_done &= REVOKED.contains(&&*reply.status);
            retry_after = retry_after.max(reply.retry_after);
        }
        let message = if messages.is_empty() { "nothing to revoke".to_owned() } else { messages.join(", ") };
        match (is_done, retry_after) {
            (true, _) => Ok(Revoked::done(message)),
            (false, Some(seconds)) => Ok(Revoked::retry_after(message, seconds)),
            (false, None) => Err(Error::new(message)),
        }
    }

    /// Calls a method with the token of a grant. An expired token cannot even be revoked, but its
    /// refresh token still works: <https://docs.slack.dev/authentication/using-token-rotation>.
    async fn call_with_token(&self, method: &str, one: &mut RevokedGrant<'_>, host: &Host) -> Reply {
        let client = [("client_id", self.client_id.as_str()), ("client_secret", self.client_secret.as_str())];
        let form = if method == "apps.uninstall" { &client[..] } else { &[] };
        let reply = self.call(method, form, one.token(), host).await;
        let Some(refresh_token) = one.unused_refresh_token().filter(|_| reply.status == "token_expired") else {
            return reply;
        };
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), client[0], client[1]];
        let refreshed = self.call("oauth.v2.access", &refresh, "", host).await;
        one.is_refresh_token_used = true;
        let Some(token) = refreshed.body["access_token"].as_str() else { return refreshed };
        one.refreshed = Some(token.to_owned());
        self.call(method, form, token, host).await
    }

    async fn call(&self, method: &str, form: &[(&str, &str)], token: &str, host: &Host) -> Reply {
        let token_url = self.token_url.as_deref().unwrap_or(API);
        let base = token_url.rsplit_once('/').map_or(token_url, |(base, _)| base);
        let request = HttpRequest::post(format!("{base}/{method}")).form(form.iter().copied());
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let response = match host.send(request).await {
            Ok(response) => response,
            Err(error) => return Reply::outage(error.to_string()),
        };
        if response.status >= 500 {
            return Reply::outage(format!("Slack answered status {}", response.status));
        }
        let seconds = || response.header("retry-after").and_then(|text| text.parse().ok()).unwrap_or(60);
        let retry_after = (response.status == 429).then(seconds);
        let body: Value = response.json().unwrap_or_default();
        let error = body["error"].as_str().map_or_else(|| format!("status {}", response.status), str::to_owned);
        let status = if body["ok"] == true { "ok".to_owned() } else { error };
        Reply { status, retry_after, is_outage: retry_after.is_some(), body }
    }
}

impl Reply {
    const fn outage(status: String) -> Self {
        Self { status, retry_after: None, is_outage: true, body: Value::Null }
    }
}

impl<'a> RevokedGrant<'a> {
    const fn new(grant: &'a Grant) -> Self {
        Self { grant, refreshed: None, is_refresh_token_used: false }
    }

    fn token(&self) -> &str {
        self.refreshed.as_deref().unwrap_or_else(|| self.grant.access_token.expose())
    }

    fn unused_refresh_token(&self) -> Option<&'a str> {
        self.grant.refresh_token.as_ref().filter(|_| !self.is_refresh_token_used).map(|token| token.expose())
    }
}
