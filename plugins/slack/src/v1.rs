//! The first dialect: `oauth.access`.

use jackfield_plugin::{Error, Identity, Integration, OAuth2, Result};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Answer {
    access_token: String,
    scope: String,
    team_id: String,
    team_name: String,
    user_id: String,
    bot: Bot,
}

#[derive(Deserialize)]
struct Bot {
    bot_user_id: String,
    bot_access_token: String,
}

pub(crate) fn oauth2() -> OAuth2 {
    crate::endpoints("oauth/authorize", "oauth.access").scopes(["bot", "chat:write:bot", "commands", "team:read"])
}

pub(crate) fn integration(answer: &Answer) -> Result<Integration> {
    if [&answer.team_id, &answer.user_id, &answer.bot.bot_access_token].into_iter().any(String::is_empty) {
        return Err(Error::new("Slack's answer has no team, user or bot token"));
    }
    let scopes = crate::scopes(&answer.scope);
    Ok(Integration::new(&answer.team_id)
        .name(&answer.team_name)
        .metadata("bot_access_token", answer.bot.bot_access_token.as_str())
        .metadata("bot_user_id", answer.bot.bot_user_id.as_str())
        .metadata("scopes", scopes.clone())
        .identity(
            Identity::new("slack", "slack.com", &answer.user_id)
                .scopes(scopes)
                .data("access_token", answer.access_token.as_str()),
        ))
}
