//! The stand-in Slack is as strict as Slack.

use anyhow::Result;
use jackfield_tests::{person::Person, stand_in_slack::StandInSlack};

const BACK: &str = "https://jackfield.example/extensions/slack/setup/";

async fn code(slack: &StandInSlack, person: &Person, path: &str) -> Result<String> {
    let url = slack.url(&format!("{path}?client_id={}&redirect_uri={BACK}&scope=commands&state=s", slack.client().id));
    let back = person.visit(&url).await?.redirect()?;
    Ok(back.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value.into_owned()).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_checks_client_code_redirect_uri_and_dialect() -> Result<()> {
    let slack = StandInSlack::start().await?;
    let person = Person::new(&slack.url(""));
    let (id, secret) = (slack.client().id.clone(), slack.client().secret.clone());
    let right = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", BACK),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    let changed = |name: &'static str, value: &'static str| {
        right.map(|(key, old)| if key == name { (key, value) } else { (key, old) })
    };
    let cases = [
        (right, ""),
        (changed("grant_type", "password"), "invalid_grant_type"),
        (changed("client_id", "other"), "invalid_client_id"),
        (changed("client_secret", "other"), "bad_client_secret"),
        (changed("redirect_uri", "https://evil.example/"), "bad_redirect_uri"),
    ];
    for (form, error) in cases {
        let code = code(&slack, &person, "/oauth/v2/authorize").await?;
        let form: Vec<_> = form.into_iter().chain([("code", code.as_str())]).collect();
        let answer = person.post("/api/oauth.v2.access", &form).await?.json()?;
        assert_eq!(
            (answer["ok"].as_bool(), answer["error"].as_str().unwrap_or_default()),
            (Some(error.is_empty()), error)
        );
        let again = person.post("/api/oauth.v2.access", &form).await?.json()?;
        assert_eq!(again["ok"], false, "a code works once");
    }
    let code = code(&slack, &person, "/oauth/authorize").await?;
    let form: Vec<_> = right.into_iter().chain([("code", code.as_str())]).collect();
    assert_eq!(person.post("/api/oauth.v2.access", &form).await?.json()?["error"], "oauth_authorization_url_mismatch");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_ins_switches_can_be_set_over_http() -> Result<()> {
    let slack = StandInSlack::start().await?;
    let person = Person::new(&slack.url(""));
    let switches = serde_json::json!({"consent": "ask", "coop": true, "team_name": "<b>Bold</b>"});
    let request = person.request(reqwest::Method::POST, "/behaviour").json(&switches);
    assert_eq!(person.send(request).await?.status, 422, "names are in kebab case");
    let switches = serde_json::json!({"consent": "ask", "coop": true, "team-name": "<b>Bold</b>"});
    let request = person.request(reqwest::Method::POST, "/behaviour").json(&switches);
    assert_eq!(person.send(request).await?.status, 204);
    let page = person
        .visit(&format!("/oauth/v2/authorize?client_id={}&redirect_uri={BACK}&scope=a,b", slack.client().id))
        .await?;
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    assert!(page.text.contains("Allow") && page.text.contains("Deny") && !page.text.contains("<b>Bold"));
    Ok(())
}
