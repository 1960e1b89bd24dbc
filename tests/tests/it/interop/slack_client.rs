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
    let report = tokio::task::spawn_blocking(move || interop.slack_client(&url, &client.id, &client.secret)).await??;

    let installation = &report["installation"];
    assert_eq!(installation["team"], json!({"id": "T0STANDIN", "name": "Analytical Engines"}));
    assert_eq!((&installation["tokenType"], &installation["isEnterpriseInstall"]), (&json!("bot"), &json!(false)));
    assert_eq!(installation["bot"]["scopes"], json!(["chat:write", "commands"]));
    assert_eq!(installation["user"]["scopes"], json!(["search:read"]));
    assert_eq!(installation["bot"]["id"], "B0STANDINBOT", "of auth.test");
    for who in ["bot", "user"] {
        let (before, after) = (&installation[who], &report["refreshed"][who]);
        assert!(before["expiresAt"].is_u64() && after["expiresAt"].is_u64(), "{report}");
        assert_ne!(before["refreshToken"], after["refreshToken"], "{who} was rotated");
        assert_eq!(report["authorized"][format!("{who}Token")], after["token"], "{who}: the new one is used");
    }
    assert_eq!(report["authorized"]["botToken"].as_str().map(|token| token.starts_with("xoxe.xoxb-")), Some(true));
    assert_eq!(report["usedAgain"], json!({"code": "slack_webapi_platform_error", "error": "invalid_refresh_token"}));
    assert_eq!((&report["test"]["ok"], &report["test"]["team_id"]), (&json!(true), &json!("T0STANDIN")));
    assert_eq!(report["posted"]["message"]["text"], "hello");
    assert_eq!(report["tooMuch"], json!({"code": "slack_webapi_rate_limited_error", "retryAfter": 30}));
    assert_eq!((&report["tried"]["revoked"], &report["revoked"]["revoked"]), (&json!(false), &json!(true)));
    assert_eq!(report["afterRevocation"]["error"], "token_revoked");
    assert_eq!(report["uninstalledByAnother"]["error"], "client_id_token_mismatch");
    assert_eq!(report["uninstalled"], json!({"ok": true}));
    assert_eq!(report["afterUninstall"]["error"], "token_revoked");
    assert_eq!(report["unknown"]["error"], "invalid_auth");
    Ok(())
}
