//! Other sites that act through the victim's browser: they start setups, post, log in, frame, and
//! are redirected to.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::http_client::HttpClient;
use reqwest::Method;

use super::INTERNAL;
use crate::app::{PASSWORD, TestApp, redacted_with};

const START: &str = "/organizations/acme/integrations/example/setup/";
const SETUP: &str = "/extensions/example/setup/";

/// Start of a setup from another site (CVE-2015-9284): a page of the attacker sends the victim's
/// browser to a start URL, and the victim's provider consents without asking. And cross-site
/// request forgery of a step: a form there posts into a running setup.
#[tokio::test(flavor = "multi_thread")]
async fn cross_site_start_and_step_of_a_setup() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let start = owner.request(Method::GET, START).header("sec-fetch-site", "cross-site");
    assert_eq!(owner.send(start).await?.status, 403);
    assert_eq!(owner.visit(SETUP).await?.status_and_location(), (302, "/"), "nothing was started");
    owner.start_setup("acme", "example").await?;
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let post = owner.request(Method::POST, SETUP).header(name, value).form(&[("name", "evil")]);
        assert_eq!(owner.send(post).await?.status, 403, "{name}: {value}");
    }
    let post = owner.request(Method::POST, SETUP).header("origin", &app.host.url).form(&[("name", "good")]);
    assert!(owner.send(post).await?.dialog()?.success);
    Ok(())
}

/// Start of a setup where nothing shows that the host's own page has sent the browser: from a
/// sibling site, and over plain http, where browsers send no `Sec-Fetch-Site`. The host asks the
/// user first, and only its own page can answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_a_setup_by_nobody_knows_whom_is_asked_about() -> Result<()> {
    const BROWSER: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)");
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let from = async |headers: &[(&str, &str)]| {
        let start = owner.request(Method::GET, START);
        owner.send(headers.iter().fold(start, |start, (name, value)| start.header(*name, *value))).await
    };
    for headers in [
        &[("sec-fetch-site", "same-site")][..],
        &[("referer", "https://evil.example/")],
        &[BROWSER],
        &[("accept", "text/html")],
        &[("upgrade-insecure-requests", "1")],
        &[BROWSER, ("referer", "https://evil.example/")],
    ] {
        let page = from(headers).await?;
        assert!(page.status == 200 && page.text.contains("Connect Example?"), "{headers:?}: {}", page.text);
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin-allow-popups");
        assert_eq!(owner.visit(SETUP).await?.status_and_location(), (302, "/"), "{headers:?}");
    }
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "same-site"), ("origin", "null")] {
        let post = owner.request(Method::POST, START).header(name, value).form(&[("dialog", "0")]);
        assert_eq!(owner.send(post).await?.status, 403, "{name}: {value}");
    }
    let post = owner.request(Method::POST, START).header("origin", &app.host.url).form(&[("dialog", "0")]);
    assert_eq!(owner.send(post).await?.status_and_location(), (303, app.host.at(SETUP).as_str()));
    assert!(owner.post(SETUP, &[("name", "one")]).await?.dialog()?.success);

    let own = format!("{}/organizations/acme/integrations/", app.host.url);
    for headers in [&[("sec-fetch-site", "same-origin"), BROWSER][..], &[("referer", &own), BROWSER], &[]] {
        assert_eq!(from(headers).await?.status_and_location(), (302, app.host.at(SETUP).as_str()), "{headers:?}");
    }
    Ok(())
}

/// The same by a link to the login page, which users trust, logged in or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_a_setup_by_next_is_asked_about() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    for next in [START.to_owned(), format!("{START}?ask=0"), format!("/account/..{START}")] {
        let form = [("email", "owner@example.com"), ("password", PASSWORD), ("next", &next)];
        let victim = HttpClient::new(&app.host.url);
        let sent_on = [
            victim.post("/auth/login/", &form).await?,
            owner.visit(&format!("/auth/login/?next={}", next.replace('?', "%3F"))).await?,
        ];
        for (client, redirect) in [&victim, &owner].into_iter().zip(sent_on) {
            let path = redirect.location.unwrap_or_default();
            let page = client.send(client.request(Method::GET, &path).header("sec-fetch-site", "same-origin")).await?;
            assert!(page.status == 200 && page.text.contains("Connect Example?"), "{next}: {path}: {}", page.text);
            assert_eq!(client.visit(SETUP).await?.status_and_location(), (302, "/"), "{next}");
        }
    }
    Ok(())
}

/// Login cross-site request forgery: a page of the attacker logs the victim's browser in as the
/// attacker, so that what the victim connects belongs to the attacker (RFC 9700 section 4.7; RFC
/// 6749 section 10.12).
#[tokio::test(flavor = "multi_thread")]
async fn login_csrf() -> Result<()> {
    let app = TestApp::start().await?;
    app.log_in_as("manager").await?;
    let victim = HttpClient::new(&app.host.url);
    let form = [("email", "manager@example.com"), ("password", PASSWORD), ("next", "/")];
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let post = victim.request(Method::POST, "/auth/login/").header(name, value).form(&form);
        let response = victim.send(post).await?;
        assert_eq!((response.status, response.header("set-cookie")), (403, ""), "{name}: {value}");
    }
    let own = victim.request(Method::POST, "/auth/login/").header("sec-fetch-site", "same-origin").form(&form);
    assert_eq!(victim.send(own).await?.status_and_location(), (302, "/"));
    Ok(())
}

/// Open redirect by `next` (RFC 9700 section 4.11.2): a link to the login page, which users trust,
/// leads to the attacker.
#[tokio::test(flavor = "multi_thread")]
async fn open_redirect_by_next() -> Result<()> {
    let app = TestApp::start().await?;
    app.log_in_as("owner").await?;
    for next in ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)"] {
        let form = [("email", "owner@example.com"), ("password", PASSWORD), ("next", next)];
        assert_eq!(
            HttpClient::new(&app.host.url).post("/auth/login/", &form).await?.status_and_location(),
            (302, "/"),
            "{next}"
        );
    }
    Ok(())
}

/// Open redirect by a plugin, or by a value in its form: it can lead to the web, but never to a
/// script or to a path of the host with an effect (RFC 9700 section 4.11). The operator chose the
/// plugin; nobody else can do more.
#[tokio::test(flavor = "multi_thread")]
async fn open_redirect_by_a_plugin() -> Result<()> {
    for (to, is_good) in [
        ("https://example.com/consent", true),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("/auth/logout/", false),
    ] {
        let toml = format!("[redirects]\nto = \"{to}\"");
        let app = TestApp::start_with("v2", None, |host| host.plugin("misbehaving").toml(&toml)).await?;
        let owner = app.log_in_as("owner").await?;
        let response = owner.start_setup("acme", "redirects").await?;
        if is_good {
            assert_eq!(response.status_and_location(), (302, to));
        } else {
            assert_eq!(response.dialog()?.detail(), INTERNAL, "{to}");
        }
    }
    Ok(())
}

/// Open redirect by the path: no part of a URL of the host is used as a redirect target.
#[tokio::test(flavor = "multi_thread")]
async fn open_redirect_by_a_path() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    for path in [
        "//evil.example/",
        "/\\evil.example/",
        "/%2f%2fevil.example/",
        "/auth/login//evil.example",
        "/..//evil.example",
    ] {
        let response = owner.visit(path).await?;
        assert!(response.status == 404 && response.location.is_none(), "{path}: {:?}", response.status_and_location());
    }
    let log_in = HttpClient::new(&app.host.url).visit("//evil.example/organizations/").await?;
    assert!(log_in.location.is_none(), "{:?}", log_in.location);
    Ok(())
}

/// Clickjacking (RFC 9700 section 4.16): the attacker frames a page, and the victim clicks in it.
/// No page may be framed, and none runs a script that is not the host's.
#[tokio::test(flavor = "multi_thread")]
async fn clickjacking() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    let form = owner.start_setup("acme", "example").await?;
    let dialog = owner.post(SETUP, &[("name", "one")]).await?;
    let id = dialog.dialog()?.data["id"].as_str().unwrap_or_default().to_owned();
    let mut answers = vec![("form".to_owned(), form), ("dialog".to_owned(), dialog)];
    let list = "/organizations/acme/integrations/";
    for path in ["/", "/account/", "/nothing/", list, "/auth/login/", "/api/0/organizations/acme/integrations/", SETUP]
    {
        answers.push((path.to_owned(), owner.visit(path).await?));
    }
    for path in [format!("{list}{id}/"), format!("{list}{id}/remove/")] {
        let response = owner.visit(&path).await?;
        assert_eq!(response.status, 200, "{path}");
        answers.push((path, response));
    }
    answers.push(("log-in".to_owned(), HttpClient::new(&app.host.url).visit("/auth/login/").await?));
    for (what, response) in answers {
        let policy = response.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{what}: {policy}");
        assert!(policy.starts_with("default-src 'none'"), "{what}: {policy}");
    }
    Ok(())
}

/// Session fixation by the cookie: it is HttpOnly and SameSite=Lax, bound to the host by its prefix
/// behind https, and new after each login.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_cookie_of_the_attackers_making() -> Result<()> {
    let app = TestApp::start().await?;
    app.log_in_as("owner").await?;
    let browser = HttpClient::new(&app.host.url);
    let form = [("email", "owner@example.com"), ("password", PASSWORD), ("next", "/")];
    let planted = "jackfield=AAAAAAAAAAAAAAAAAAAAAA";
    let log_in = browser.request(Method::POST, "/auth/login/").header("cookie", planted).form(&form);
    let response = browser.send(log_in).await?;
    let cookie = response.header("set-cookie");
    assert!(!cookie.starts_with(planted), "{cookie}");
    assert_snapshot!(redacted_with(cookie, &[("jackfield=[^;]+", "jackfield=[id]")]), @"jackfield=[id]; HttpOnly; SameSite=Lax; Path=/; Max-Age=[number]");
    let with_planted = HttpClient::new(&app.host.url);
    let page = with_planted.request(Method::GET, "/account/").header("cookie", planted);
    assert_eq!(with_planted.send(page).await?.status_and_location(), (302, "/auth/login/?next=%2Faccount%2F"));
    assert_eq!(browser.visit("/account/").await?.status, 200);
    Ok(())
}
