//! Today's dialect: `oauth.v2.access`.

use jackfield_plugin::{Error, Identity, Integration, OAuth2, Result};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(flatten)]
    bot: Grant,
    bot_user_id: Option<String>,
    app_id: Option<String>,
    team: Option<Tenant>,
    enterprise: Option<Tenant>,
    #[serde(default)]
    is_enterprise_install: bool,
    authed_user: User,
}

/// A token with what belongs to it; absent where only the other kind was asked for.
#[derive(Deserialize)]
struct Grant {
    access_token: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Tenant {
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(flatten)]
    grant: Grant,
}

pub(crate) fn oauth2() -> OAuth2 {
    crate::endpoints("oauth/v2/authorize", "oauth.v2.access")
        .scopes(["chat:write", "commands", "team:read"])
        .scope_separator(",")
}

/// Installed in a workspace, or, where `team` is null, in a whole organization of Enterprise Grid.
pub(crate) fn integration(answer: &Answer) -> Result<Integration> {
    let Answer { bot, bot_user_id, app_id, team, enterprise, is_enterprise_install, authed_user: user } = answer;
    let team = team.as_ref().filter(|_| !is_enterprise_install);
    let tenant = team.or(enterprise.as_ref()).filter(|tenant| !tenant.id.is_empty());
    let tenant = tenant.ok_or_else(|| Error::new("Slack's answer names neither a team nor an enterprise"))?;
    if user.id.is_empty()
        || [bot, &user.grant].iter().all(|grant| grant.access_token.as_deref().unwrap_or("").is_empty())
    {
        return Err(Error::new("Slack's answer has no installing user or no token"));
    }
    let scopes = crate::scopes(bot.scope.as_deref().unwrap_or_default());
    let mut integration =
        Integration::new(&tenant.id).name(tenant.name.as_ref().unwrap_or(&tenant.id)).metadata("scopes", scopes);
    for (key, value) in [
        ("bot_access_token", &bot.access_token),
        ("bot_user_id", bot_user_id),
        ("refresh_token", &bot.refresh_token),
        ("app_id", app_id),
        ("team_id", &team.map(|team| team.id.clone())),
        ("enterprise_id", &enterprise.as_ref().map(|enterprise| enterprise.id.clone())),
    ] {
        integration = value.iter().fold(integration, |integration, value| integration.metadata(key, value.as_str()));
    }
    if let Some(seconds) = bot.expires_in {
        integration = integration.metadata("expires_in", seconds);
    }
    Ok(integration.identity(identity(&tenant.id, user)))
}

/// User ids are unique within a tenant only, so the tenant is the instance.
fn identity(tenant: &str, User { id, grant }: &User) -> Identity {
    let scopes = crate::scopes(grant.scope.as_deref().unwrap_or_default());
    let mut identity = Identity::new("slack", tenant, id).scopes(scopes);
    for (key, value) in [("access_token", &grant.access_token), ("refresh_token", &grant.refresh_token)] {
        identity = value.iter().fold(identity, |identity, value| identity.data(key, value.as_str()));
    }
    grant.expires_in.into_iter().fold(identity, |identity, seconds| identity.data("expires_in", seconds))
}
