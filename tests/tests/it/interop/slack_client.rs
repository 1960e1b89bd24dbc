//! Slack's own libraries, as clients of the stand-in.

use anyhow::Result;
use jackfield_test_support::{interop::interop, stand_in::Rotation, stand_in_slack::StandInSlack};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn slacks_own_libraries_agree_with_the_stand_in() -> Result<()> {
    let Some(interop) = interop() else { return Ok(()) };
    let slack = StandInSlack::start().await?;
    // The library refreshes tokens with less than two hours left.
    slack.behave(|behaviour| (behaviour.rotation, behaviour.expires_in) = (Rotation::SingleUse, 3600));
    let (url, client) = (slack.url(""), slack.client().clone());
    let told = tokio::task::spawn_blocking(move || interop.slack_client(&url, &client.id, &client.secret)).await??;

    let installation = &told["installation"];
    assert_eq!(installation["team"], json!({"id": "T0STANDIN", "name": "Analytical Engines"}));
    assert_eq!((&installation["tokenType"], &installation["isEnterpriseInstall"]), (&json!("bot"), &json!(false)));
    assert_eq!(installation["bot"]["scopes"], json!(["chat:write", "commands"]));
    assert_eq!(installation["user"]["scopes"], json!(["search:read"]));
    assert_eq!(installation["bot"]["id"], "B0STANDINBOT", "of auth.test");
    for who in ["bot", "user"] {
        let (before, after) = (&installation[who], &told["refreshed"][who]);
        assert!(before["expiresAt"].is_u64() && after["expiresAt"].is_u64(), "{told}");
        assert_ne!(before["refreshToken"], after["refreshToken"], "{who} was rotated");
        assert_eq!(told["authorized"][format!("{who}Token")], after["token"], "{who}: the new one is used");
    }
    assert_eq!(told["authorized"]["botToken"].as_str().map(|token| token.starts_with("xoxe.xoxb-")), Some(true));
    assert_eq!(told["usedAgain"], json!({"code": "slack_webapi_platform_error", "error": "invalid_refresh_token"}));
    assert_eq!((&told["test"]["ok"], &told["test"]["team_id"]), (&json!(true), &json!("T0STANDIN")));
    assert_eq!(told["posted"]["message"]["text"], "hello");
    assert_eq!(told["tooMuch"], json!({"code": "slack_webapi_rate_limited_error", "retryAfter": 30}));
    assert_eq!((&told["tried"]["revoked"], &told["revoked"]["revoked"]), (&json!(false), &json!(true)));
    assert_eq!(told["afterRevocation"]["error"], "token_revoked");
    assert_eq!(told["uninstalledByAnother"]["error"], "client_id_token_mismatch");
    assert_eq!(told["uninstalled"], json!({"ok": true}));
    assert_eq!(told["afterUninstall"]["error"], "token_revoked");
    assert_eq!(told["unknown"]["error"], "invalid_auth");
    Ok(())
}
