//! Token answers in Slack's shapes.

use serde_json::{Value, json};

use super::{
    behaviour::{Behaviour, Install},
    grant::Grant,
    shared::Shared,
};
use crate::stand_in::{IssuedTokens, Rotation, TokenPolicy, locked};

/// The id of the app.
pub(super) const APP: &str = "A0STANDIN";
/// The bot's user.
pub(super) const BOT: &str = "B0STANDIN";

/// `oauth.access`, whose tokens do not rotate:
/// <https://docs.slack.dev/legacy/legacy-authentication/legacy-oauth>.
pub(super) fn v1(shared: &Shared, grant: &Grant) -> Value {
    let data = json!({"team": grant.team, "user_id": grant.user_id, "scope": grant.scope.replace(' ', ",")});
    let token = |kind: Kind| {
        let policy = TokenPolicy { access_prefix: kind.prefix().to_owned(), ..TokenPolicy::default() };
        shared.tokens.issue(&grant.team.id, data.clone(), &policy).access
    };
    json!({
        "ok": true,
        "access_token": token(Kind::User),
        "scope": data["scope"],
        "user_id": grant.user_id,
        "team_id": grant.team.id,
        "team_name": grant.team.name,
        "enterprise_id": null,
        "bot": {"bot_user_id": BOT, "bot_access_token": token(Kind::Bot)},
    })
}

/// `oauth.v2.access`: <https://docs.slack.dev/reference/methods/oauth.v2.access>.
pub(super) fn v2(shared: &Shared, grant: &Grant) -> Value {
    let mut answer = merged(json!({"ok": true}), place(grant));
    let wants_user = grant.install == Install::UserOnly || !grant.user_scope.is_empty();
    answer["authed_user"] = json!({"id": grant.user_id});
    if grant.install != Install::UserOnly {
        answer = merged(answer, opened(shared, grant, Kind::Bot));
        answer["bot_user_id"] = BOT.into();
    }
    if wants_user {
        answer["authed_user"] = merged(answer["authed_user"].take(), opened(shared, grant, Kind::User));
    }
    answer
}

/// The flat response to a refresh:
/// <https://docs.slack.dev/authentication/using-token-rotation>.
pub(super) fn refreshed(issued: &IssuedTokens) -> Value {
    let data = &issued.data;
    let mut answer = merged(json!({"ok": true}), data["place"].clone());
    if data["token_type"] == "bot" {
        answer["bot_user_id"] = BOT.into();
    }
    merged(answer, given_out(issued))
}

/// How tokens of a kind are issued now.
pub(super) fn policy(behaviour: &Behaviour, kind: Kind) -> TokenPolicy {
    let rotates = behaviour.rotation != Rotation::Off;
    TokenPolicy {
        access_prefix: if rotates { format!("xoxe.{}", kind.prefix()) } else { kind.prefix().to_owned() },
        refresh_prefix: rotates.then(|| "xoxe-1-".to_owned()),
        expires_in: rotates.then_some(behaviour.expires_in),
        refresh_expires_in: None,
        rotation: behaviour.rotation,
    }
}

/// Whether a token is a bot's or a user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bot,
    User,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Bot => "xoxb-",
            Self::User => "xoxp-",
        }
    }

    /// The kind in a family's data.
    pub(super) fn of(data: &Value) -> Self {
        if data["token_type"] == "bot" { Self::Bot } else { Self::User }
    }
}

/// Where the app is installed, as in every response.
fn place(grant: &Grant) -> Value {
    let enterprise = json!({"id": "E0STANDIN", "name": grant.team.name});
    let (team, enterprise) = match grant.install {
        Install::Workspace | Install::UserOnly => (json!(grant.team), Value::Null),
        Install::GridWorkspace => (json!(grant.team), enterprise),
        Install::Enterprise => (Value::Null, enterprise),
    };
    let is_enterprise = grant.install == Install::Enterprise;
    json!({"app_id": APP, "team": team, "enterprise": enterprise, "is_enterprise_install": is_enterprise})
}

/// The first tokens of a kind. Bot and user tokens are separate families.
fn opened(shared: &Shared, grant: &Grant, kind: Kind) -> Value {
    let scope = match kind {
        Kind::Bot => &grant.scope,
        Kind::User if grant.user_scope.is_empty() => "search:read",
        Kind::User => &grant.user_scope,
    };
    let place = place(grant);
    let owner = ["/team/id", "/enterprise/id"].iter().find_map(|path| place.pointer(path)?.as_str());
    let owner = owner.unwrap_or_default().to_owned();
    let token_type = if kind == Kind::Bot { "bot" } else { "user" };
    let data = json!({"place": place, "user_id": grant.user_id, "scope": scope, "token_type": token_type});
    given_out(&shared.tokens.issue(&owner, data, &policy(&locked(&shared.behaviour), kind)))
}

/// Issued tokens with type and scopes.
fn given_out(issued: &IssuedTokens) -> Value {
    let data = &issued.data;
    let given = json!({"access_token": issued.access, "token_type": data["token_type"].clone(), "scope": data["scope"].clone()});
    match &issued.refresh {
        Some(refresh) => merged(given, json!({"refresh_token": refresh, "expires_in": issued.expires_in})),
        None => given,
    }
}

fn merged(mut answer: Value, more: Value) -> Value {
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
        answer.extend(more);
    }
    answer
}
