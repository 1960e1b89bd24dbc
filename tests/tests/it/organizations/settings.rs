//! What an organization has for pages that other products embed: set by owners and the operator,
//! and by nobody else.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{ApiClient, TestApp},
    audit::log::rows,
    pages::browser_app::{BrowserApp, in_browser},
};

const SETTINGS: &str = "/api/0/organizations/acme/settings/";
const PAGE: &str = "/organizations/acme/settings/";
const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8" onload="alert(1)"><script>alert(2)</script><rect width="8" height="8" fill="#123456"/></svg>"##;

async fn change(owner: &HttpClient, body: &Value) -> Result<HttpResponse> {
    owner.send(owner.request(Method::PATCH, SETTINGS).json(body)).await
}

/// A form with a file, as browsers post it.
async fn upload(owner: &HttpClient, name: &str, bytes: &[u8]) -> Result<HttpResponse> {
    let mut body = b"--x\r\nContent-Disposition: form-data; name=\"".to_vec();
    body.extend_from_slice(format!("{name}\"; filename=\"a\"\r\n\r\n").as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--x--\r\n");
    let request = owner.request(Method::POST, &format!("{PAGE}logo/"));
    owner.send(request.header("content-type", "multipart/form-data; boundary=x").body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_sets_all_of_it_or_nothing_and_the_audit_log_says_what() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let unset = json!({
            "displayName": null, "accentColor": null, "accentTextColor": null, "logoUrl": null,
            "allowedOrigins": [], "sameAccount": "one",
        });
        assert_eq!(owner.visit(SETTINGS).await?.json()?, unset);
        let wanted = json!({
            "displayName": " Acme Ltd ", "accentColor": "#FFD400", "sameAccount": "two",
            "allowedOrigins": ["https://app.example", "http://localhost:3000", "https://app.example"],
            "logo": STANDARD.encode(LOGO),
        });
        let set = change(&owner, &wanted).await?;
        assert_eq!(set.status, 200, "{}", set.text);
        let set = set.json()?;
        assert_eq!((&set["displayName"], &set["accentColor"]), (&json!("Acme Ltd"), &json!("#ffd400")));
        assert_eq!(set["accentTextColor"], "#000000", "white could not be read on it");
        assert_eq!(set["allowedOrigins"], json!(["https://app.example", "http://localhost:3000"]));
        assert_eq!(set["sameAccount"], "two");

        let refused =
            change(&owner, &json!({"displayName": "Other", "allowedOrigins": ["https://a.example/"]})).await?;
        assert_eq!(refused.status, 400);
        assert!(refused.text.contains("write https://a.example."), "{}", refused.text);
        assert_eq!(change(&owner, &json!({"allowedOrigin": []})).await?.status, 400, "a key that is not known");
        assert_eq!(owner.visit(SETTINGS).await?.json()?, set, "nothing has changed");

        assert_eq!(change(&owner, &set_without_logo()).await?.json()?["logoUrl"], Value::Null);
        let rows = rows(&app.host)?;
        let changes: Vec<&Value> = rows.iter().filter(|row| !row["detail"]["settings"].is_null()).collect();
        assert_eq!(changes.len(), 2, "{changes:?}");
        let first = changes.iter().find(|row| row["detail"]["allowed-origins"].is_array()).context("the first")?;
        assert_eq!((&first["action"], &first["actor"]["kind"]), (&json!("organization-change"), &json!("user")));
        let all = json!(["displayName", "accentColor", "allowedOrigins", "sameAccount", "logo"]);
        assert_eq!(first["detail"]["settings"], all);
    }
    Ok(())
}

fn set_without_logo() -> Value {
    json!({"logo": null})
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owners_change_settings_and_no_token_does() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host).await?;
    let body = json!({"allowedOrigins": ["https://evil.example"]});
    let program =
        ApiClient::with_token(&app.host, &app.host.token("acme", &["org:read", "org:write", "org:integrations"])?);
    assert_eq!(program.get(SETTINGS).await?.status, 200);
    assert_eq!(program.send(program.request(Method::PATCH, SETTINGS).json(&body)).await?.status, 403);
    for role in ["member", "admin", "manager"] {
        let person = app.log_in_as(role).await?;
        assert_eq!(person.visit(SETTINGS).await?.status, 200, "{role}");
        assert_eq!(change(&person, &body).await?.status, 403, "{role}");
        assert_eq!(person.visit(PAGE).await?.status, 403, "{role}");
        assert_eq!(person.post(PAGE, &[("allowed_origins", "https://evil.example")]).await?.status, 403, "{role}");
        assert_eq!(upload(&person, "logo", LOGO.as_bytes()).await?.status, 403, "{role}");
        assert!(!person.visit("/organizations/acme/integrations/").await?.text.contains(PAGE), "{role}: no link");
    }
    let owner = app.log_in_as("owner").await?;
    let from_elsewhere = owner.request(Method::PATCH, SETTINGS).header("sec-fetch-site", "cross-site").json(&body);
    assert_eq!(owner.send(from_elsewhere).await?.status, 403);
    assert_eq!(owner.visit(SETTINGS).await?.json()?["allowedOrigins"], json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logo_is_cleaned_and_served_so_that_nothing_of_it_runs() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host).await?;
    let owner = app.log_in_as("owner").await?;
    assert_eq!(upload(&owner, "logo", LOGO.as_bytes()).await?.status_and_location(), (302, PAGE));
    let url = owner.visit(SETTINGS).await?.json()?["logoUrl"].as_str().context("a logo")?.to_owned();
    let path = url.strip_prefix(&app.host.url).context("of this host")?;
    let served = HttpClient::new(&app.host.url).visit(path).await?;
    assert_eq!((served.status, served.header("content-type")), (200, "image/svg+xml"));
    assert!(served.text.contains("#123456") && !served.text.contains("alert"), "{}", served.text);
    assert_eq!(served.header("x-content-type-options"), "nosniff");
    assert_eq!(served.header("content-disposition"), "attachment");
    assert_eq!(served.header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    for wrong in [&b"<html><script>alert(1)</script></html>"[..], b"GIF89a", &[b' '; 70_000]] {
        let refused = upload(&owner, "logo", wrong).await?;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert!(refused.text.contains("id=\"logo-error\">The file"), "{}", refused.text);
    }
    assert_eq!(HttpClient::new(&app.host.url).visit(path).await?.status, 200, "the former one stays");
    assert_eq!(upload(&owner, "remove", b"1").await?.status, 302);
    assert_eq!(HttpClient::new(&app.host.url).visit(path).await?.status, 404);
    let accent = HttpClient::new(&app.host.url).visit("/accents/ffd400.css").await?;
    assert_eq!((accent.status, accent.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(accent.text.contains("background: #ffd400") && accent.text.contains("color: #000000"), "{}", accent.text);
    for wrong in ["red.css", "ffd400", "fff.css", "ffd40%7D.css"] {
        assert_eq!(HttpClient::new(&app.host.url).visit(&format!("/accents/{wrong}")).await?.status, 404, "{wrong}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sets_them_by_a_command_while_the_host_serves() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let run = |arguments: &[&str]| app.host.output(&[&["org", "settings", "acme"], arguments].concat());
        let (is_done, _) = run(&["--allow-origin", "https://a.example", "--allow-origin", "https://b.example"])?;
        assert!(is_done);
        let (is_done, shown) = run(&["--remove-origin", "https://a.example", "--display-name", "Acme Ltd", "--json"])?;
        assert!(is_done, "{shown}");
        let shown: Value = serde_json::from_str(&shown)?;
        assert_eq!(
            (&shown["allowedOrigins"], &shown["displayName"]),
            (&json!(["https://b.example"]), &json!("Acme Ltd"))
        );
        assert_eq!(
            owner.visit(SETTINGS).await?.json()?["allowedOrigins"],
            shown["allowedOrigins"],
            "with the next request"
        );
        let (is_done, said) = run(&["--allow-origin", "http://app.example", "--accent-color", "red"])?;
        assert!(!is_done && said.contains("is not https") && said.contains("accentColor"), "{said}");
        let (is_done, said) = app.host.output(&["org", "settings", "nobody"])?;
        assert!(!is_done && said.contains("no organization with the slug nobody"), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_a_preview_while_the_owner_writes_and_keeps_what_is_wrong_in_the_form() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            browser.click(&format!("a[href='{PAGE}']")).await?;
            browser.wait_for_text("h1", "Settings").await?;
            app.look("settings-empty").await?;
            browser.fill("#display-name", "Acme Ltd").await?;
            browser.wait_for_text("#preview-name", "Acme Ltd").await?;
            browser.fill("#accent-color", "#ffd400").await?;
            browser
                .until(
                    "return getComputedStyle(document.getElementById('preview-button')).color === 'rgb(0, 0, 0)'",
                    Vec::new(),
                    "the button gets the color",
                )
                .await?;
            browser.fill("#allowed-origins", "https://app.example/").await?;
            browser.click("form[method=post]:not([action]) button[type=submit]").await?;
            browser.wait_for_text("#allowed-origins-error", "write https://app.example.").await?;
            assert_eq!(browser.run("return document.getElementById('display-name').value").await?, "Acme Ltd");
            browser.assert_console_says("422").await?;
            app.look("settings-error").await?;
            browser.fill("#allowed-origins", "https://app.example").await?;
            browser.click("form[method=post]:not([action]) button[type=submit]").await?;
            browser.wait_for_text("#notices", "Saved.").await?;
            app.look("settings").await?;
            app.quiet().await
        },
    )
    .await
}
