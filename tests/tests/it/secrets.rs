//! No secret leaves the host by its log, its database file or its answers.

use anyhow::Result;

use crate::stage::{PASSWORD, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_at_trace_level_or_in_the_database_files() -> Result<()> {
    let stage = Stage::with("v1", None, |host| host.log("trace")).await?;
    let owner = stage.person("owner").await?;
    let token = stage.host.token("acme", &["org:read"])?;
    let list = owner.request(reqwest::Method::GET, "/api/0/organizations/acme/integrations/").bearer_auth(&token);
    assert_eq!(owner.send(list).await?.status, 200);
    let log_in = owner.log_in("owner@example.com", PASSWORD).await?;
    let cookie = log_in.header("set-cookie").split(['=', ';']).nth(1).unwrap_or_default().to_owned();
    let step = owner.start_setup("acme", "slack").await?;
    let back = owner.consent(&step).await?;
    assert!(owner.visit(&back).await?.dialog()?.success);
    // And one that fails with the code in hand.
    stage.slack.behave(|behaviour| behaviour.token = jackfield_tests::stand_in_slack::TokenAnswer::NotJson);
    let failed = owner.consent(&owner.start_setup("acme", "slack").await?).await?;
    assert!(!owner.visit(&failed).await?.dialog()?.success);

    let stored = stage.stored().await?;
    let (metadata, identity) =
        (stored.integrations().await?.remove(0).1, stored.identities("owner@example.com").await?);
    let mut secrets = vec![
        ("password", PASSWORD.to_owned()),
        ("session id", cookie),
        ("bearer token", token),
        ("client secret", stage.slack.client().secret.clone()),
        ("bot token", metadata["bot_access_token"].as_str().unwrap_or_default().to_owned()),
        ("user token", identity[0]["data"]["access_token"].as_str().unwrap_or_default().to_owned()),
        ("secret key", std::fs::read_to_string(stage.host.folder().join("data/secret.key"))?.trim().to_owned()),
    ];
    for url in [&back, &failed] {
        let url = url::Url::parse(url)?;
        secrets.extend(
            url.query_pairs()
                .filter(|(name, _)| name == "code" || name == "state")
                .map(|(_, value)| ("code or state", value.into_owned())),
        );
    }
    let log = stage.host.log()?;
    assert!(log.contains("DEBUG"), "the log is as fine as it gets");
    let files: Vec<Vec<u8>> = ["jackfield.db", "jackfield.db-wal"]
        .map(|file| std::fs::read(stage.host.folder().join("data").join(file)).unwrap_or_default())
        .into();
    for (what, secret) in &secrets {
        assert!(secret.len() >= 8, "{what} was really used: {secret:?}");
        if let Some(at) = log.find(secret.as_str()) {
            let line = log[..at].rfind('\n').map_or(0, |start| start + 1);
            panic!("the {what} is in the log: {}", &log[line..(at + 40).min(log.len())]);
        }
        let is_stored = files.iter().any(|file| file.windows(secret.len()).any(|window| window == secret.as_bytes()));
        assert!(!is_stored, "the {what} is in the database in plain text");
    }
    Ok(())
}
