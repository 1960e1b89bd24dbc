//! How the browser comes back from a service: without a code, by POST, ahead of the person, twice.

use anyhow::{Context, Result};
use jackfield_test_support::http_client::{HttpClient, HttpResponse};
use reqwest::Method;

use super::failure_page::{quoted, quoted_next};
use crate::app::TestApp;

/// Begins a setup, and answers the URL by which the service sends the browser back.
async fn back_from(owner: &HttpClient) -> Result<url::Url> {
    let step = owner.start_setup("acme", "slack").await?;
    Ok(owner.consent(&step).await?.parse()?)
}

/// The same URL with another query.
fn with(back: &url::Url, query: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut url = back.clone();
    url.query_pairs_mut().clear().extend_pairs(query);
    url.into()
}

fn value(url: &url::Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_code_ends_the_setup_in_words() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    for (name, given, check) in [
        ("admin_consent", "True", "no-code"),
        ("code", "", "no-code"),
        ("error_description", "Ask your administrator", "declined"),
    ] {
        let back = back_from(&owner).await?;
        let back = with(&back, [(name, given.to_owned()), ("state", value(&back, "state"))]);
        let page = owner.visit(&back).await?;
        assert_eq!((page.dialog()?.success, quoted(&app.host, &page.text)?.0), (false, check), "{name}");
        let again = owner.visit(&back).await?;
        assert_eq!(quoted_next(&app.host, &owner, &again).await?, "none-under-way", "{name}");
    }
    assert_eq!(app.slack.token_requests().len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_comes_back_without_an_answer_is_sent_away_again() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let back = back_from(&owner).await?;
    let other = with(&back, [("admin_consent", "True".to_owned()), ("state", "another".to_owned())]);
    for (path, check) in [(BARE, "no-answer"), (&other, "state-other"), (BARE, "no-answer")] {
        let page = sent_by(&owner, "cross-site", path).await?;
        assert_eq!((page.status, quoted(&app.host, &page.text)?.0), (200, check), "{path}");
    }
    let page = sent_by(&owner, "cross-site", BARE).await?;
    assert!(page.text.contains("location.hash"), "an answer in the fragment is read");
    assert!(owner.visit(back.as_str()).await?.dialog()?.success, "the setup goes on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_back_is_sent_to_the_service_as_ever_and_who_says_nothing_once() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    back_from(&owner).await?;
    for site in ["same-origin", "none", "same-origin"] {
        assert!(sent_by(&owner, site, BARE).await?.redirect().is_ok(), "{site}");
    }
    assert!(owner.visit(BARE).await?.redirect().is_ok(), "a browser over plain http says nothing");
    let page = owner.visit(BARE).await?;
    assert_eq!((page.status, quoted(&app.host, &page.text)?.0), (200, "no-answer"), "it may go round in circles");
    Ok(())
}

const BARE: &str = "/extensions/slack/setup/";

/// A visit of a browser that says who has sent it.
async fn sent_by(client: &HttpClient, site: &str, path: &str) -> Result<HttpResponse> {
    client.send(client.request(Method::GET, path).header("sec-fetch-site", site)).await
}

/// Fields of the one form of a page.
fn fields(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    let pairs = inputs.filter_map(|input| {
        let (name, rest) = input.split_once("\" value=\"")?;
        Some((name.to_owned(), rest.split_once('"')?.0.replace("&#38;", "&").replace("&#34;", "\"")))
    });
    pairs.collect()
}

async fn posted(client: &HttpClient, path: &str, origin: &str, fields: &[(String, String)]) -> Result<HttpResponse> {
    let site = if origin.starts_with("https:") { "cross-site" } else { "same-origin" };
    let request = client.request(Method::POST, path).header("origin", origin).header("sec-fetch-site", site);
    client.send(request.form(fields)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_by_post_comes_once_more_from_our_own_page() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    // A browser leaves the cookie out.
    let stranger = HttpClient::new(&app.host.url);
    let back = back_from(&owner).await?;
    let path = back.path().to_owned();
    let answer: Vec<(String, String)> = back.query_pairs().into_owned().collect();
    let page = posted(&stranger, &path, "https://slack.example", &answer).await?;
    assert_eq!((page.status, page.header("set-cookie")), (200, ""), "{}", page.text);
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "same-origin"));
    assert!(page.header("content-security-policy").contains("form-action 'self'"));
    let once_more = fields(&page.text);
    assert!(answer.iter().all(|pair| once_more.contains(pair)), "{once_more:?}");
    assert_eq!(app.slack.token_requests().len(), 0, "nothing is done yet");
    let foreign = posted(&owner, &path, "https://slack.example", &once_more).await?;
    assert!(foreign.text.contains("<form"), "also with the cookie it comes once more");
    let refused = posted(&stranger, &path, &app.host.url, &once_more).await?;
    assert_eq!(refused.status_and_location(), (302, "/"), "without the session it is nobody's");
    let ended = posted(&owner, &path, &app.host.url, &once_more).await?;
    assert!(ended.dialog()?.success);
    let again = posted(&owner, &path, &app.host.url, &once_more).await?;
    assert_eq!(quoted_next(&app.host, &owner, &again).await?, "none-under-way");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_form_of_another_origin_is_taken() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let back = back_from(&owner).await?;
    let state = ("state".to_owned(), value(&back, "state"));
    let code = ("code".to_owned(), value(&back, "code"));
    for (path, form, status) in [
        ("/extensions/slack/setup/", vec![code.clone()], 403),
        ("/extensions/nobody/setup/", vec![code.clone(), state.clone()], 403),
        ("/organizations/acme/integrations/slack/setup/", vec![code.clone(), state.clone()], 403),
        ("/auth/logout/", vec![code, state.clone()], 403),
        ("/extensions/slack/setup/", vec![("code".to_owned(), "c".repeat(70_000)), state], 413),
    ] {
        let refused = posted(&owner, path, "https://evil.example", &form).await?;
        assert_eq!((refused.status, refused.text.contains("<form")), (status, false), "{path}");
    }
    assert!(owner.visit(back.as_str()).await?.dialog()?.success);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_what_a_browser_fetches_ahead_spend_nothing() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let back = back_from(&owner).await?;
    let start = "/organizations/acme/integrations/slack/setup/";
    for path in [back.as_str(), start] {
        let head = owner.send(owner.request(Method::HEAD, path)).await?;
        assert_eq!((head.status, head.header("cache-control"), head.header("location")), (200, "no-store", ""));
        for (name, purpose) in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")] {
            let ahead = owner.send(owner.request(Method::GET, path).header(name, purpose)).await?;
            let found = (ahead.status, ahead.header("cache-control"), ahead.header("location"));
            assert_eq!(found, (503, "no-store", ""), "{name} {path}");
        }
    }
    assert_eq!(app.slack.token_requests().len(), 0);
    assert!(owner.visit(back.as_str()).await?.dialog()?.success, "neither code nor setup is spent");
    let again = owner.visit(back.as_str()).await?;
    assert_eq!(again.status_and_location(), (302, "/"));
    owner.send(owner.request(Method::HEAD, "/organizations/acme/integrations/")).await?;
    assert_eq!(quoted_next(&app.host, &owner, &again).await?, "none-under-way", "nor is what is left to say");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradictory_or_endless_answer_has_words() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    type Change = fn(&str, &str) -> Vec<(&'static str, String)>;
    let cases: [(&str, Change); 3] = [
        ("parameter-repeated", |code, state| {
            vec![("code", code.into()), ("code", code.into()), ("state", state.into())]
        }),
        ("code-and-error", |code, state| vec![("code", code.into()), ("error", "e".into()), ("state", state.into())]),
        ("state-other", |code, state| vec![("code", code.into()), ("state", state.repeat(500))]),
    ];
    for (check, change) in cases {
        let back = back_from(&owner).await?;
        let page = owner.visit(&with(&back, change(&value(&back, "code"), &value(&back, "state")))).await?;
        let (found, _) = quoted(&app.host, &page.text).context("a page with words")?;
        assert_eq!(found, check);
    }
    assert_eq!(app.slack.token_requests().len(), 0);
    Ok(())
}
