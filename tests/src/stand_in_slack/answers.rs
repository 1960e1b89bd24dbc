//! Token answers in Slack's shapes.

use serde_json::{Value, json};

use super::{Behaviour, Install};

/// `oauth.access`: <https://docs.slack.dev/legacy/legacy-authentication/legacy-oauth>.
pub(super) fn v1(behaviour: &Behaviour, scope: &str) -> Value {
    json!({
        "ok": true,
        "access_token": token("xoxp"),
        "scope": scope.replace(' ', ","),
        "user_id": behaviour.user_id,
        "team_id": behaviour.team_id,
        "team_name": behaviour.team_name,
        "enterprise_id": null,
        "bot": {"bot_user_id": "B0STANDIN", "bot_access_token": token("xoxb")},
    })
}

/// `oauth.v2.access`: <https://docs.slack.dev/reference/methods/oauth.v2.access>.
pub(super) fn v2(behaviour: &Behaviour, install: Install, scope: &str) -> Value {
    let team = json!({"id": behaviour.team_id, "name": behaviour.team_name});
    let enterprise = json!({"id": "E0STANDIN", "name": behaviour.team_name});
    let bot = json!({
        "ok": true,
        "access_token": token("xoxb"),
        "token_type": "bot",
        "scope": scope,
        "bot_user_id": "B0STANDIN",
        "app_id": "A0STANDIN",
        "team": team,
        "enterprise": null,
        "is_enterprise_install": false,
        "authed_user": {"id": behaviour.user_id},
    });
    match install {
        Install::Workspace => bot,
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
                {"id": behaviour.user_id, "scope": "search:read", "access_token": token("xoxp"), "token_type": "user"},
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
