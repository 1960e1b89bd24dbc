//! How a real browser comes back from a service of another site that answers by POST, or in the
//! fragment of the URL.

use anyhow::Result;
use jackfield_test_support::raw_http::RawHttpServer;

use super::browser_app::{BrowserApp, in_browser};
use crate::{
    app::{bare, owner_of_acme},
    attacks::evil_site::EvilSite,
};

/// A log-in page that consents at once, and answers by POST. One of its fields is called like the
/// form's own method.
const BY_POST: &str = "<!doctype html><title>service</title><form method=post><input name=code value=c0de>\
    <input name=state><input name=submit value='a\"b'></form><script>const asked = new URLSearchParams(location.search); \
    const form = document.forms[0]; form.action = asked.get('redirect_uri'); \
    form.elements.state.value = asked.get('state'); HTMLFormElement.prototype.submit.call(form);</script>";

/// Another, whose answer is in the fragment.
const IN_FRAGMENT: &str = "<!doctype html><title>service</title><script>const asked = new URLSearchParams(location.search); \
    location = asked.get('redirect_uri') + '#code=c0de&state=' + asked.get('state');</script>";

const TOKEN: &str = r#"{"access_token": "at", "id": "A1", "name": "Acme"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_by_post_or_in_the_fragment_connects_the_service() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            for page in [BY_POST, IN_FRAGMENT] {
                connects(app, page).await?;
            }
            Ok(())
        },
    )
    .await
}

async fn connects(app: &BrowserApp, page: &str) -> Result<()> {
    let (browser, service, token) = (&app.browser, EvilSite::serving(page).await?, RawHttpServer::start().await?);
    let toml = format!(
        "[http]\nallow-private = [\"127.0.0.1:{port}\"]\n[providers.acme]\nname = \"Acme\"\nauthorize-url = \"{login}\"\n\
         token-url = \"http://127.0.0.1:{port}/token\"\nclient-id = \"c\"\nclient-secret = \"s\"\n\
         account = {{ from = \"token\", id = \"id\", name = \"name\" }}\n",
        port = token.port(),
        login = service.of_another_site(),
    );
    let host = bare().toml(&toml).start()?;
    owner_of_acme(&host).await?;
    browser.open(&host.at("/organizations/acme/integrations/")).await?;
    app.log_in("owner").await?;
    browser.run("window.open = () => null").await?;
    let journey = async {
        app.open_menu_and_choose("acme").await?;
        browser.wait_for_text("h1", "Acme is connected").await
    };
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{TOKEN}", TOKEN.len());
    token.answering(&[answer.into()], journey).await?;
    let address = browser.url().await?;
    assert!(!address.contains("c0de"), "no code stays in the address: {address}");
    Ok(())
}
