//! GitLab at an instance that the user enters: a real host, and a strict stand-in that plays GitLab
//! below a path.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::{HttpClient, HttpResponse},
    stand_in::{Endpoint, Fault},
    stand_in_oauth2::{CLIENT, SECRET, ServiceProfile, StandInOAuth2},
};
use serde_json::json;

use crate::{
    app::{ApiClient, redacted, refusal, step_error},
    app::{AppDatabase, PASSWORD, bare, log_in},
    attacks::evil_site::EvilSite,
};

/// A host with the plugin, and a self-hosted GitLab.
pub(crate) struct GitLabApp {
    pub(crate) host: Host,
    pub(crate) service: StandInOAuth2,
    pub(crate) url: String,
}

impl GitLabApp {
    pub(crate) async fn new(change: impl FnOnce(HostBuilder, &StandInOAuth2) -> HostBuilder) -> Result<Self> {
        let profile = ServiceProfile::all()?.remove("gitlab").context("GitLab's profile")?;
        let service = StandInOAuth2::start(BTreeMap::from([("gitlab".to_owned(), profile)])).await?;
        let url = service.url_of("gitlab", "https://gitlab.com");
        let host = change(bare().plugin("gitlab"), &service).start()?;
        host.organization("acme")?;
        host.user("owner@example.com", PASSWORD)?;
        host.member("acme", "owner@example.com", "owner")?;
        Ok(Self { host, service, url })
    }

    async fn owner(&self) -> Result<HttpClient> {
        log_in(&self.host, "owner@example.com").await
    }

    /// Enters the instance in the form of a started setup.
    async fn name(&self, owner: &HttpClient) -> Result<HttpResponse> {
        let form = [("url", self.url.as_str()), ("client-id", CLIENT), ("client-secret", SECRET)];
        owner.post("/extensions/gitlab/setup/", &form).await
    }
}

pub(crate) fn allowed(host: HostBuilder, service: &StandInOAuth2) -> HostBuilder {
    host.toml(&format!("[http]\nallow-private = [\"127.0.0.1:{}\"]\n", service.port()))
}

/// The link of the page after a form.
pub(crate) fn onward(page: &HttpResponse) -> Result<String> {
    let (_, url) = page.text.split_once("http-equiv=\"refresh\" content=\"0;url=").context("a page that leads on")?;
    let (url, _) = url.split_once('"').context("the attribute ends")?;
    Ok(url.replace("&#38;", "&").replace("&amp;", "&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_the_person_names_is_connected() -> Result<()> {
    let app = GitLabApp::new(allowed).await?;
    let owner = app.owner().await?;
    let form = owner.start_setup("acme", "gitlab").await?;
    assert!(
        form.text.contains("Your GitLab") && form.header("content-security-policy").contains("form-action 'self';")
    );
    let page = app.name(&owner).await?;
    assert_eq!(page.status, 200, "a redirect would be held to form-action");
    let link = format!("Opening 127.0.0.1:{} …", app.service.port());
    assert!(page.text.contains(&link) && !page.text.contains("<script"), "{}", page.text);
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    let back = owner.visit(&onward(&page)?).await?;
    let dialog = owner.visit(back.redirect()?.as_str()).await?.dialog()?;
    assert!(dialog.success, "{}\n{}", dialog.detail(), app.host.log()?);
    let instance = format!("127.0.0.1:{}/gitlab/gitlab.com", app.service.port());
    let stored = AppDatabase::of(&app.host).await?;
    let (installed, metadata) = stored.integrations().await?.remove(0);
    assert_eq!(installed.integration.external_id, format!("{instance}:1"));
    assert_eq!(metadata["client"], json!([CLIENT, SECRET]));
    let identity = stored.identities("owner@example.com").await?.remove(0);
    assert_eq!((identity["type"].as_str(), identity["instance"].as_str()), (Some("gitlab"), Some(instance.as_str())));
    // Its own API is used by way of the host, and no other that somebody might name.
    let client = ApiClient::of_integration(&app.host, &dialog.data)?;
    let user = client.proxy_get("user").await?;
    assert_eq!((user.status, user.json()?["id"].as_u64()), (200, Some(1)), "{}", user.text);
    assert_eq!(refusal(&client.proxy_get("https://git.evil.example/").await?)?, (403, "out-of-reach".to_owned()));
    Ok(())
}

/// Whoever sets a provider up could name any address in a field that nobody declared, and have the
/// proxy reach it.
#[tokio::test(flavor = "multi_thread")]
async fn of_the_addresses_in_a_form_the_proxy_reaches_the_accepted_one() -> Result<()> {
    let inside = EvilSite::serving("{}").await?;
    let both = |host: HostBuilder, service: &StandInOAuth2| {
        let ports = [service.port(), inside.port].map(|port| format!("\"127.0.0.1:{port}\""));
        host.toml(&format!("[http]\nallow-private = [{}]\n", ports.join(", ")))
    };
    let app = GitLabApp::new(both).await?;
    let owner = app.owner().await?;
    owner.start_setup("acme", "gitlab").await?;
    let refused = owner.post("/extensions/gitlab/setup/", &[("url", &*inside.url())]).await?;
    assert!(refused.text.contains("create an application with the redirect URI"), "{}", refused.text);
    let form =
        [("url", app.url.as_str()), ("client-id", CLIENT), ("client-secret", SECRET), ("undeclared", &*inside.url())];
    let page = owner.post("/extensions/gitlab/setup/", &form).await?;
    let back = owner.visit(&onward(&page)?).await?;
    let dialog = owner.visit(back.redirect()?.as_str()).await?.dialog()?;
    assert!(dialog.success, "{}", dialog.detail());
    let client = ApiClient::of_integration(&app.host, &dialog.data)?;
    assert_eq!(client.proxy_get("user").await?.status, 200);
    for url in [inside.url(), format!("{}v1/secrets", inside.url())] {
        assert_eq!(refusal(&client.proxy_get(&url).await?)?, (403, "out-of-reach".to_owned()), "{url}");
    }
    assert!(inside.asked().is_empty(), "{:?}", inside.asked());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plugin_says_of_an_instance_s_refresh_tokens_holds_before_the_first_is_used() -> Result<()> {
    let app = GitLabApp::new(allowed).await?;
    let owner = app.owner().await?;
    owner.start_setup("acme", "gitlab").await?;
    let page = app.name(&owner).await?;
    let back = owner.visit(&onward(&page)?).await?;
    let dialog = owner.visit(back.redirect()?.as_str()).await?.dialog()?;
    assert!(dialog.success, "{}", dialog.detail());
    let (stored, client) = (AppDatabase::of(&app.host).await?, ApiClient::of_integration(&app.host, &dialog.data)?);
    let id = stored.integrations().await?.remove(0).0.integration.external_id;
    stored.let_expire(&id, "access", Some(time::OffsetDateTime::now_utc() - time::Duration::SECOND)).await?;
    app.service.faults("gitlab").next(Endpoint::Refresh, [Some(Fault::LostResponse)]);
    assert_eq!(client.proxy_get("user").await?.status, 503);
    stored.try_again_now(&id).await?;
    assert_eq!(refusal(&client.proxy_get("user").await?)?, (409, "needs-reauthentication".to_owned()));
    assert_eq!(
        app.service.faults("gitlab").requests(Endpoint::Refresh),
        1,
        "a token that works once is not sent again"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_after_the_form_is_redirected_as_ever() -> Result<()> {
    let app = GitLabApp::new(allowed).await?;
    let owner = app.owner().await?;
    owner.start_setup("acme", "gitlab").await?;
    let page = app.name(&owner).await?;
    let again = owner.visit("/extensions/gitlab/setup/").await?;
    assert!(again.redirect()?.as_str().starts_with(&app.url), "{}", onward(&page)?);
    Ok(())
}

/// Comes back from the instance with a code, and returns why the host does not request the token.
async fn refused(app: &GitLabApp) -> Result<String> {
    let owner = app.owner().await?;
    owner.start_setup("acme", "gitlab").await?;
    let page = app.name(&owner).await?;
    let back = owner.visit(&onward(&page)?).await?;
    let dialog = owner.visit(back.redirect()?.as_str()).await?.dialog()?;
    assert!(!dialog.success);
    AppDatabase::of(&app.host).await?.assert_nothing("owner@example.com").await?;
    step_error(&app.host, "gitlab")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_host_at_a_private_address_is_refused() -> Result<()> {
    let app = GitLabApp::new(|host, _| host).await?;
    assert_snapshot!(refused(&app).await?, @"the request to the token endpoint failed: 127.0.0.1 is, or resolves to, a private address: allow it under [http] allow-private if it is yours");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_list_narrows_what_people_may_name() -> Result<()> {
    let narrowed = "[plugins.gitlab]\nhosts = [\"gitlab.com\", \"*.example.com\"]\n";
    let app = GitLabApp::new(|host, service| allowed(host, service).toml(narrowed)).await?;
    let owner = app.owner().await?;
    owner.start_setup("acme", "gitlab").await?;
    let ended = app.name(&owner).await?.dialog()?;
    assert_eq!((ended.success, ended.detail()), (false, "an internal error occurred"), "nobody is sent there");
    assert_snapshot!(step_error(&app.host, "gitlab")?, @"the step leads to 127.0.0.1, which the operator does not grant the plugin ([plugins.NAME] hosts)");
    let listed = app.host.run(&["plugin", "list"], "")?;
    assert_snapshot!(redacted(&listed), @"
    gitlab: running, process, pid [pid]
      plugin  jackfield-plugin-gitlab 0.1.0, abi 1.0
      file    plugins/libgitlab.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      calls   3
      restarts 0
      gitlab (GitLab): configured
        hosts gitlab.com, and those that people name in a form; granted: gitlab.com, *.example.com
    ");
    Ok(())
}
