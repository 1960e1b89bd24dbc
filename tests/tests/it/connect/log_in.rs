//! The proof `log-in`: the person proves at an issuer that they are the subject.

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
    stand_in_oauth2::{CLIENT, SECRET, SUBJECT, StandInOAuth2},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::program::{Link, Program, SESSIONS};
use crate::{
    app::bare,
    providers::{declared::http, issuer::issuer_of},
};

struct LogInApp {
    service: StandInOAuth2,
    host: Host,
    program: Program,
}

impl LogInApp {
    async fn start(database: Option<String>) -> Result<Self> {
        let (id, profile) = issuer_of("people", |_, _| {})?;
        let service = StandInOAuth2::start([(id, profile)].into()).await?;
        let table = format!(
            "[[connect.issuers]]\nissuer = \"{}\"\nclient-id = \"{CLIENT}\"\nclient-secret = \"{SECRET}\"\n",
            Self::issuer(&service)
        );
        let host = bare().plugin("example").database(database).toml(&http(&service)).toml(&table).start()?;
        host.organization("acme")?;
        let program = Program::of(&host)?;
        Ok(Self { service, host, program })
    }

    fn issuer(service: &StandInOAuth2) -> String {
        service.url_of("people", "https://people.example/issuer")
    }

    async fn link(&self, subject: &str) -> Result<Link> {
        self.program.link(&json!({"proof": "log-in", "subject": {"id": subject}, "expiresIn": 604_800})).await
    }

    /// Presses the button on the page of the link, and logs in at the issuer. Returns the path that
    /// the issuer leads to.
    async fn logged_in(&self, browser: &HttpClient, link: &Link) -> Result<String> {
        let opened = browser.visit(&link.path).await?;
        anyhow::ensure!(opened.text.contains("Log in first"), "{}", opened.text);
        let to_issuer = browser.post(&format!("{}log-in/", link.path), &[]).await?;
        let (status, url) = to_issuer.status_and_location();
        anyhow::ensure!(status == 303, "{status} {}", to_issuer.text);
        let back = browser.visit(url).await?.redirect().context("the issuer")?;
        Ok(back.as_str().to_owned())
    }

    async fn connect(&self, browser: &HttpClient, link: &Link) -> Result<HttpResponse> {
        link.begin(browser, "example").await?;
        browser.post("/extensions/example/setup/", &[("name", "proved")]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_the_subject_connects_and_the_link_is_theirs_then() -> Result<()> {
    for database in databases() {
        let app = LogInApp::start(database).await?;
        let link = app.link(SUBJECT).await?;
        assert_eq!(app.program.session(&link).await?["issuer"], json!(LogInApp::issuer(&app.service)));
        let path = format!("{SESSIONS}{}/step/", link.id);
        let step = async || -> Result<Value> {
            let request = app.program.api.request(Method::POST, &path).json(&json!({"provider": "example"}));
            app.program.api.send(request).await?.json()
        };
        let early = step().await?;
        assert_eq!((&early["type"], &early["code"]), (&json!("error"), &json!("failed")), "the program cannot vouch");
        let person = HttpClient::new(&app.host.url);
        let back = app.logged_in(&person, &link).await?;
        let proved = person.visit(&back).await?;
        assert_eq!(proved.status_and_location(), (303, &*app.host.at(&link.path)));
        let stranger = HttpClient::new(&app.host.url);
        assert_eq!(stranger.visit(&link.path).await?.status, 403, "the link is the person's now");
        assert_eq!(step().await?["type"], "page", "now it can show the setup itself");
        let end = app.connect(&person, &link).await?;
        assert!(end.text.contains("Example is connected"), "{}", end.text);
        assert_eq!(app.program.integrations().await?[0]["subject"]["id"], SUBJECT);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_connects_without_the_log_in_or_as_somebody_else() -> Result<()> {
    let app = LogInApp::start(None).await?;
    let link = app.link("somebody-else").await?;
    let person = HttpClient::new(&app.host.url);
    assert_eq!(link.choose(&person, "example").await?.status, 403, "no log-in");
    let back = app.logged_in(&person, &link).await?;
    let refused = person.visit(&back).await?;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("other-person") && refused.text.contains("somebody else"), "{}", refused.text);
    assert_eq!(person.visit(&back).await?.status, 403, "an answer is used up");
    assert_eq!(link.choose(&person, "example").await?.status, 403);
    assert_eq!(app.program.session(&link).await?["isHeld"], false);
    assert_eq!(app.program.integrations().await?, [] as [Value; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_in_the_browser_that_asked_and_for_its_session_alone() -> Result<()> {
    let app = LogInApp::start(None).await?;
    let (link, other) = (app.link(SUBJECT).await?, app.link(SUBJECT).await?);
    let (victim, attacker) = (HttpClient::new(&app.host.url), HttpClient::new(&app.host.url));
    attacker.visit(&link.path).await?;
    let back = app.logged_in(&victim, &link).await?;
    assert_eq!(attacker.visit(&back).await?.status, 403, "another browser");
    assert_eq!(HttpClient::new(&app.host.url).visit(&back).await?.status, 403, "no browser of ours");
    let of_other = back.strip_suffix(&format!(".{}", link.id)).context("the session's id")?;
    let of_other = format!("{of_other}.{}", other.id);
    assert_eq!(victim.visit(&of_other).await?.status, 403, "another session");
    assert_eq!(victim.visit(&back).await?.status, 303, "and the right one counts as before");
    let held =
        [app.program.session(&link).await?["isHeld"].clone(), app.program.session(&other).await?["isHeld"].clone()];
    assert_eq!(held, [json!(true), json!(false)]);
    for path in ["/connect/log-in/", "/connect/log-in/?code=c&state=x", "/connect/log-in/?code=c&state=x.99"] {
        assert_eq!(victim.visit(path).await?.status, 403, "{path}");
    }
    assert_eq!(victim.post(&format!("{}log-in/", link.path), &[]).await?.status, 303, "once more does no harm");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_week_needs_an_issuer_that_the_operator_has_configured() -> Result<()> {
    let app = LogInApp::start(None).await?;
    for (body, words) in [
        (json!({"expiresIn": 604_800}), "up to 604800 with the proof `log-in`"),
        (json!({"proof": "log-in"}), "needs `subject`"),
        (json!({"proof": "log-in", "subject": {"id": "a"}, "issuer": "https://evil.example"}), "issuer is one of"),
    ] {
        let refused = app.program.create(&body).await?;
        assert!(refused.status == 400 && refused.text.contains(words), "{body}: {}", refused.text);
    }
    app.service.take_issuers_down(true);
    let link = app.link(SUBJECT).await?;
    let person = HttpClient::new(&app.host.url);
    person.visit(&link.path).await?;
    let refused = person.post(&format!("{}log-in/", link.path), &[]).await?;
    assert!(refused.status == 403 && refused.text.contains("log-in-failed"), "{}", refused.text);
    Ok(())
}
