//! Token answers in Slack's shapes.

use serde_json::{Value, json};

use super::{Grant, Install};

/// `oauth.access`: <https://docs.slack.dev/legacy/legacy-authentication/legacy-oauth>.
pub(super) fn v1(grant: &Grant) -> Value {
    json!({
        "ok": true,
        "access_token": token("xoxp"),
        "scope": grant.scope.replace(' ', ","),
        "user_id": grant.user_id,
        "team_id": grant.team.id,
        "team_name": grant.team.name,
        "enterprise_id": null,
        "bot": {"bot_user_id": "B0STANDIN", "bot_access_token": token("xoxb")},
    })
}

/// `oauth.v2.access`: <https://docs.slack.dev/reference/methods/oauth.v2.access>.
pub(super) fn v2(grant: &Grant) -> Value {
    let team = &grant.team;
    let enterprise = json!({"id": "E0STANDIN", "name": team.name});
    let bot = json!({
        "ok": true,
        "access_token": token("xoxb"),
        "token_type": "bot",
        "scope": grant.scope,
        "bot_user_id": "B0STANDIN",
        "app_id": "A0STANDIN",
        "team": team,
        "enterprise": null,
        "is_enterprise_install": false,
        "authed_user": {"id": grant.user_id},
    });
    match grant.install {
        Install::Workspace => bot,
        Install::GridWorkspace => changed(bot, json!({"enterprise": enterprise})),
        Install::Enterprise => {
            changed(bot, json!({"team": null, "enterprise": enterprise, "is_enterprise_install": true}))
        }
        Install::UserOnly => json!({
            "ok": true,
            "app_id": "A0STANDIN",
            "team": team,
            "enterprise": null,
            "is_enterprise_install": false,
            "authed_user":
                {"id": grant.user_id, "scope": "search:read", "access_token": token("xoxp"), "token_type": "user"},
        }),
    }
}

fn changed(mut answer: Value, changes: Value) -> Value {
    if let (Some(answer), Value::Object(changes)) = (answer.as_object_mut(), changes) {
        answer.extend(changes);
    }
    answer
}

/// Different each time, so that a re-install can be told from the install.
fn token(prefix: &str) -> String {
    format!("{prefix}-{:x}", getrandom::u64().expect("the system has a random generator"))
}
