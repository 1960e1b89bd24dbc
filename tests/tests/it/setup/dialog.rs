//! The page at the end of a setup, which posts to its opener.

use anyhow::Result;

use crate::app::TestApp;

const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{2028}\u{2029}\"'&<!--\u{1f9ee}";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_cannot_leave_the_script_or_become_markup() -> Result<()> {
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.team_name = HOSTILE.to_owned());
    let owner = app.log_in_as("owner").await?;
    let response = owner.install("acme", "slack").await?;
    assert_eq!(response.dialog()?.data["name"], HOSTILE, "the opener gets the text unchanged");
    assert_eq!(response.text.matches("</script>").count(), 1, "{}", response.text);
    assert_eq!(response.text.matches("<img").count(), 0);
    assert!(
        !response.text.contains(['\u{2028}', '\u{2029}']) || !script(&response.text).contains(['\u{2028}', '\u{2029}'])
    );
    let page = owner.visit("/organizations/acme/integrations/").await?;
    assert!(!page.text.contains("<img src=x") && page.text.contains("onerror=alert(1)"), "the list shows it as text");
    Ok(())
}

/// The inline script of a page.
fn script(page: &str) -> &str {
    let begin = page.find("<script nonce").unwrap_or_default();
    &page[begin..page.find("</script>").unwrap_or(page.len())]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_goes_to_one_origin_and_holds_no_secret() -> Result<()> {
    let app = TestApp::start_with("v1", None, |host| host).await?;
    let owner = app.log_in_as("owner").await?;
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    let response = owner.visit(&back).await?;
    assert_eq!(response.dialog()?.origin, app.host.url);
    assert!(!response.text.contains("\"*\""));
    let stored = app.database().await?;
    let (metadata, identity) =
        (stored.integrations().await?.remove(0).1, stored.identities("owner@example.com").await?);
    let callback = url::Url::parse(&back)?;
    let mut secrets: Vec<String> = callback.query_pairs().map(|(_, value)| value.into_owned()).collect();
    secrets.extend([metadata["bot_access_token"].to_string(), identity[0]["data"]["access_token"].to_string()]);
    secrets.push(app.slack.client().secret.clone());
    for secret in secrets {
        assert!(!response.text.contains(secret.trim_matches('"')), "{secret}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_setup_are_private_and_run_nothing_of_a_plugins() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let form = owner.start_setup("acme", "example").await?;
    let ended = owner.post("/extensions/example/setup/", &[("name", "one")]).await?;
    for response in [&form, &ended] {
        assert_eq!(response.header("cache-control"), "no-store");
        let policy = response.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(ended.header("referrer-policy"), "no-referrer");
    assert_eq!(form.header("referrer-policy"), "same-origin", "otherwise its form would have no Origin header");
    assert!(!form.header("content-security-policy").contains("script-src"), "a step runs no script at all");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_also_goes_over_the_channel_the_opener_named() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let channel = "0123456789abcdef0123456789abcdef";
    owner.visit(&format!("/organizations/acme/integrations/example/setup/?channel={channel}")).await?;
    let response = owner.post("/extensions/example/setup/", &[("name", "one")]).await?;
    assert!(response.text.contains(&format!("new BroadcastChannel(\"{channel}\")")), "{}", response.text);
    for bad in ["short", "with space and more than sixteen", "\";alert(1);//0123456789"] {
        let start = owner
            .request(reqwest::Method::GET, "/organizations/acme/integrations/example/setup/")
            .query(&[("channel", bad)]);
        owner.send(start).await?;
        let response = owner.post("/extensions/example/setup/", &[("name", "one")]).await?;
        assert!(!response.text.contains("BroadcastChannel"), "{bad}");
    }
    Ok(())
}
