//! `jackfield plugin dev` as an author uses it: from a crate to a setup, to the next version, to a
//! clean end.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use insta::assert_snapshot;
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    processes::{self, Process},
};
use reqwest::Method;
use tempfile::TempDir;

use crate::app::{bare, program, redacted, redacted_with};

/// How long to wait for a line: the first build compiles all dependencies of a plugin.
const PATIENCE: Duration = Duration::from_secs(300);

/// A plugin as an author may write it.
const PLUGIN: &str = r#"//! Acme.
use jackfield_plugin::{Host, HttpRequest, Integration, OAuth2, Pipeline, Provider, Result, State, export_providers, value};
use serde::Deserialize;

struct Acme(Options);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Options {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

impl Provider for Acme {
    type Options = Options;
    const ID: &'static str = "acme";
    const NAME: &'static str = "Acme the First";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn hosts(&self) -> Vec<String> {
        vec!["api.acme.example".to_owned()]
    }

    fn pipeline(&self) -> Pipeline {
        let oauth2 = OAuth2::new("https://login.acme.example/authorize", "https://login.acme.example/token");
        Pipeline::new().oauth2(oauth2.client(&self.0.client_id, self.0.client_secret.as_str()).scopes(["read"]))
    }

    async fn build_integration(&self, state: State, host: Host) -> Result<Integration> {
        let Token { access_token } = value(&state, "data")?;
        let request = HttpRequest::get("https://api.acme.example/me?full=1").bearer_auth(&access_token);
        let account: serde_json::Value = host.send(request).await?.json()?;
        host.info(format!("it is {}", account["name"]));
        Ok(Integration::new(account["id"].as_str().unwrap_or("nobody")).metadata("token", access_token))
    }
}

export_providers!(Acme);
"#;

/// A plugin whose form leads to a page of the service, which comes back with its own parameter.
const INSTALLED: &str = r###"//! Acme, installed.
use jackfield_plugin::{Answer, Host, Integration, NoOptions, Pipeline, Provider, Result, State, Step, export_providers, value};

struct Acme;

impl Provider for Acme {
    type Options = NoOptions;
    const ID: &'static str = "acme";
    const NAME: &'static str = "Acme";

    fn new(_: NoOptions) -> Self {
        Self
    }

    fn pipeline(&self) -> Pipeline {
        Pipeline::new().view("install", install)
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        Ok(Integration::new(value::<String>(&state, "installation")?))
    }
}

async fn install(mut step: Step) -> Result<Answer> {
    if let Some(installation) = step.query("installation").map(str::to_owned) {
        step.bind("installation", installation);
        return Ok(Answer::Next);
    }
    match step.form("go") {
        Some(_) => Ok(Answer::redirect("https://acme.example/apps/install")),
        None => Ok(Answer::html(r##"<form method="POST"><button name="go" value="1">Go</button></form>"##)),
    }
}

export_providers!(Acme);
"###;

/// A plugin that has only the issuer of its service. The issuer ends in a slash, which the URLs of
/// its metadata do not have.
const ISSUED: &str = r###"//! Acme, by its issuer.
use jackfield_plugin::{Api, Host, Integration, OAuth2, Pipeline, Provider, Result, State, export_providers, value};
use serde::Deserialize;

struct Acme(Options);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Options {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Person {
    sub: String,
    name: String,
}

impl Provider for Acme {
    type Options = Options;
    const ID: &'static str = "acme";
    const NAME: &'static str = "Acme";

    fn new(options: Options) -> Self {
        Self(options)
    }

    fn api(&self) -> Option<Api> {
        Some(Api::new("https://api.acme.example/"))
    }

    fn pipeline(&self) -> Pipeline {
        let oauth2 = OAuth2::discover("https://login.acme.example/t1/").userinfo();
        Pipeline::new().oauth2(oauth2.client(&self.0.client_id, self.0.client_secret.as_str()).scopes(["openid", "read"]))
    }

    async fn build_integration(&self, state: State, _: Host) -> Result<Integration> {
        let claims: Person = value(&state, "id_token_claims")?;
        let userinfo: Person = value(&state, "userinfo")?;
        Ok(Integration::new(claims.sub).name(format!("{} and {}", claims.name, userinfo.name)))
    }
}

export_providers!(Acme);
"###;

const ANSWERS: &str = "[token]\naccess_token = \"t0ken\"\n\n[answers.\"https://api.acme.example/me\"]\n\
                       json = { id = \"A1\", name = \"Ada\" }\n";

/// A crate outside the repository, with its own folder for temporary files.
struct Crate(TempDir);

impl Crate {
    /// A crate with a unique name: all share a target folder.
    fn new(name: &str, rest: &str) -> Result<Self> {
        let made = Self(tempfile::tempdir()?);
        made.write(
            "Cargo.toml",
            &format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}"),
        )?;
        fs::create_dir(made.0.path().join("tmp"))?;
        Ok(made)
    }

    fn plugin(name: &str) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let api = root.join("plugin-api");
        let made = Self::new(
            name,
            &format!(
                "[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\njackfield-plugin = {{ path = {api:?} }}\n\
                 serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n"
            ),
        )?;
        // The dependencies of this repository, so that nothing is downloaded.
        fs::copy(root.join("Cargo.lock"), made.0.path().join("Cargo.lock"))?;
        made.write("src/lib.rs", PLUGIN)?;
        made.write("dev.toml", ANSWERS)?;
        Ok(made)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().context("below the crate")?)?;
        Ok(fs::write(path, text)?)
    }

    fn edit(&self, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.0.path().join("src/lib.rs"))?;
        ensure!(text.contains(from), "{from:?} is not in the source");
        self.write("src/lib.rs", &text.replace(from, to))
    }

    /// The temporary files that are left.
    fn left(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.0.path().join("tmp"))?;
        Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program().path);
        command
            .args(["plugin", "dev"])
            .args(arguments)
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-dev"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("TMPDIR", self.0.path().join("tmp"))
            .env_remove("JACKFIELD_LOG");
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            command.env_remove(variable);
        }
        command
    }

    /// What it prints when it fails.
    fn refused(&self, change: impl FnOnce(&mut Command)) -> Result<String> {
        let mut command = self.command(&[]);
        change(&mut command);
        let output = command.output()?;
        ensure!(!output.status.success(), "it runs");
        assert_eq!(self.left()?, Vec::<PathBuf>::new());
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A running `plugin dev`. It is killed when a test fails.
struct Dev {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Dev {
    fn start(of: &Crate, arguments: &[&str]) -> Result<Self> {
        let mut child = of.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, lines) = mpsc::channel();
        listen(child.stdout.take().context("stdout is piped")?, sender.clone());
        listen(child.stderr.take().context("stderr is piped")?, sender);
        Ok(Self { child, lines, said: Vec::new() })
    }

    /// The next line that contains a text.
    fn until(&mut self, words: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                bail!("it never said {words:?}, but:\n{}", self.said.join("\n"));
            };
            self.said.push(line.clone());
            if line.contains(words) {
                return Ok(line);
            }
        }
    }

    /// The next link that it prints.
    fn link(&mut self) -> Result<String> {
        let line = self.until("/auth/dev/")?;
        Ok(line.split_whitespace().last().context("a URL")?.to_owned())
    }

    /// All its child processes, their child processes, and so on.
    fn descendants(&self) -> Result<Vec<Process>> {
        let all = processes::all()?;
        let mut found: Vec<Process> = Vec::new();
        let mut parents = vec![self.child.id()];
        while let Some(parent) = parents.pop() {
            let children = all.iter().filter(|process| process.parent == parent);
            children.for_each(|child| {
                parents.push(child.pid);
                found.push(child.clone());
            });
        }
        Ok(found)
    }

    /// Stops it with a signal, and asserts that nothing is left.
    fn stop(mut self, signal: &str, of: &Crate) -> Result<()> {
        let descendants = self.descendants()?;
        ensure!(!descendants.is_empty(), "there is a worker, or cargo");
        let status = Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill -{signal} failed");
        self.until("nothing is left behind")?;
        assert_eq!(self.child.wait()?.code(), Some(0));
        assert_eq!(of.left()?, Vec::<PathBuf>::new(), "the folder is gone");
        let alive = || Ok(descendants.iter().filter(|process| process.is_alive()).cloned().collect::<Vec<_>>());
        processes::until(alive, Vec::is_empty)?;
        Ok(())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

/// A body as a line on the terminal, which shows it whole.
fn body(line: &str) -> String {
    redacted_with(line, &[("(code|code_verifier|redirect_uri)=[^&]+", "$1=[random]")])
}

/// Follows the host's redirect to the consent page, and comes back with a decision.
async fn decide(person: &HttpClient, step: &HttpResponse, decision: &str) -> Result<HttpResponse> {
    let sent = step.redirect()?;
    let page = person.visit(sent.as_str()).await?;
    ensure!(page.text.contains("Allow access?"), "{}", page.text);
    let given =
        |name: &str| sent.query_pairs().find(|(key, _)| key == name).map_or_else(String::new, |(_, v)| v.into());
    let (url, back) = (given("url"), given("back"));
    ensure!(url.starts_with("https://login.acme.example/") && url.contains("/authorize?client_id=dev&"), "{url}");
    let form = [("url", url.as_str()), ("back", &back), ("decision", decision)];
    let response = person.post(sent.join("/visit")?.as_str(), &form).await?;
    person.visit(response.redirect()?.as_str()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_logs_in_by_the_link_sets_up_edits_and_stops() -> Result<()> {
    let acme = Crate::plugin("dev-acme")?;
    let mut dev = Dev::start(&acme, &["--show-bodies"])?;
    dev.until("made up  client-id = \"dev\"; write yours under [options.acme] in dev.toml")?;
    dev.until("provider Acme the First (acme), may reach: api.acme.example, login.acme.example")?;
    let link = dev.link()?;
    dev.until("watching")?;

    // The link logs in only once.
    let host = link.split_once("/auth/").context("a path")?.0.to_owned();
    let ada = HttpClient::new(&host);
    assert_eq!(ada.visit(&link).await?.status_and_location(), (302, "/organizations/dev/integrations/"));
    let page = "/organizations/dev/integrations/";
    assert!(ada.visit(page).await?.text.contains("Acme the First"));
    let late = HttpClient::new(&host);
    assert_eq!(late.visit(&link).await?.status, 404);
    assert_eq!(late.visit(page).await?.status, 302, "it logs nobody in");
    assert_eq!(late.visit(&dev.link()?).await?.status, 302, "the next one is good");
    assert_eq!(late.visit("/auth/dev/x/").await?.status, 404);

    // A user who denies, and one who allows.
    let step = ada.start_setup("dev", "acme").await?;
    assert_eq!(decide(&ada, &step, "deny").await?.dialog()?.detail(), "access_denied");
    dev.until("step     acme oauth2 callback → failed")?;
    let step = ada.start_setup("dev", "acme").await?;
    let dialog = decide(&ada, &step, "allow").await?.dialog()?;
    assert_eq!((dialog.success, &dialog.data["externalId"]), (true, &"A1".into()));
    dev.until("request  POST https://login.acme.example/token → 200")?;
    assert_snapshot!(body(&dev.until("> grant_type=")?), @"         > grant_type=authorization_code&code=[random]&redirect_uri=[random]&code_verifier=[random]&client_id=dev&client_secret=dev");
    assert_snapshot!(body(&dev.until("< ")?), @r#"         < {"access_token":"t0ken","expires_in":3600,"refresh_token":"dev-refresh-[id]","scope":"read","token_type":"Bearer"}"#);
    dev.until("step     acme oauth2 callback → next, ")?;
    let request = dev.until("request  GET https://api.acme.example/me?full=1 → 200, ")?;
    assert_snapshot!(redacted_with(&request, &[(r"[\d.]+ ms", "[duration]")]), @"request  GET https://api.acme.example/me?full=1 → 200, 24 bytes, [duration]");
    dev.until("plugin   info: it is \"Ada\"")?;
    dev.until("step     acme build integration → integration, ")?;

    // A saved change is used if it builds.
    acme.edit("Acme the First", "Acme the Second")?;
    dev.until("reloaded")?;
    assert!(ada.visit(page).await?.text.contains("Acme the Second"));
    acme.edit("\"Acme the Second\"", "Acme the Third")?;
    dev.until("error: expected one of")?;
    dev.until("refused  it does not build")?;
    dev.until("kept")?;
    assert!(ada.visit(page).await?.text.contains("Acme the Second"));
    acme.edit("Acme the Third", "\"Acme the Third\"")?;
    dev.until("reloaded")?;
    assert!(ada.visit(page).await?.text.contains("Acme the Third"));

    // dev.toml is checked, and its changes are used as well.
    acme.write("dev.toml", "[options.acme]\ncleint-id = \"dev\"\n")?;
    dev.until("refused  dev.toml: options.acme.cleint-id: unknown option")?;
    dev.until("did you mean `client-id`?")?;
    dev.until("kept")?;
    acme.write("dev.toml", "[options.acme]\nclient-id = \"dev\"\nclient-secret = \"mine\"\n")?;
    dev.until("reloaded")?;
    let step = ada.start_setup("dev", "acme").await?;
    decide(&ada, &step, "allow").await?;
    assert_snapshot!(body(&dev.until("> grant_type=")?), @"         > grant_type=authorization_code&code=[random]&redirect_uri=[random]&code_verifier=[random]&client_id=dev&client_secret=mine");
    dev.until("request  GET https://api.acme.example/me?full=1 → 404")?;
    dev.until("nothing is scripted for this; write into dev.toml")?;
    dev.until("[answers.\"https://api.acme.example/me\"]")?;
    dev.stop("INT", &acme)?;
    assert!(HttpClient::new(&host).visit("/healthz").await.is_err(), "nothing listens any more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_service_that_a_form_leads_to_is_played() -> Result<()> {
    let acme = Crate::plugin("dev-installed")?;
    acme.write("src/lib.rs", INSTALLED)?;
    let mut dev = Dev::start(&acme, &[])?;
    let link = dev.link()?;
    dev.until("watching")?;
    let ada = HttpClient::new(link.split_once("/auth/").context("a path")?.0);
    ada.visit(&link).await?;

    let form = ada.start_setup("dev", "acme").await?;
    let sent = ada.post("/extensions/acme/setup/", &[("go", "1")]).await?.redirect()?;
    let stand_in = sent.origin().ascii_serialization();
    let policy = form.header("content-security-policy");
    assert!(
        policy.contains(&format!("form-action 'self' {stand_in}")),
        "the browser may submit the form there: {policy}"
    );
    let page = ada.visit(sent.as_str()).await?;
    assert!(page.text.contains("https://acme.example/apps/install") && page.text.contains("Query"), "{}", page.text);
    let given: std::collections::HashMap<String, String> = sent.query_pairs().into_owned().collect();
    let form = [("url", given["url"].as_str()), ("back", &given["back"]), ("query", "installation=I1")];
    let back = ada.post(sent.join("/visit")?.as_str(), &form).await?.redirect()?;
    let dialog = ada.visit(back.as_str()).await?.dialog()?;
    assert_eq!((dialog.success, &dialog.data["externalId"]), (true, &"I1".into()));

    // It redirects to nowhere else.
    let form = [("url", "https://acme.example/"), ("back", "https://evil.example/"), ("query", "")];
    assert_eq!(ada.post(sent.join("/visit")?.as_str(), &form).await?.status, 400);
    dev.stop("INT", &acme)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_is_played_whole_and_a_program_calls_the_api() -> Result<()> {
    let acme = Crate::plugin("dev-issued")?;
    acme.write("src/lib.rs", ISSUED)?;
    acme.write("dev.toml", &format!("{ANSWERS}[id-token]\nsub = \"U7\"\n[userinfo]\nname = \"Grace\"\n"))?;
    let mut dev = Dev::start(&acme, &[])?;
    let link = dev.link()?;
    let curl = dev.until("curl -H 'Authorization: Bearer ")?;
    dev.until("watching")?;
    let ada = HttpClient::new(link.split_once("/auth/").context("a path")?.0);
    ada.visit(&link).await?;

    let step = ada.start_setup("dev", "acme").await?;
    dev.until("request  GET https://login.acme.example/.well-known/oauth-authorization-server/t1 → 200")?;
    assert_eq!(decide(&ada, &step, "deny").await?.dialog()?.detail(), "access_denied", "a response of its own issuer");
    let step = ada.start_setup("dev", "acme").await?;
    let dialog = decide(&ada, &step, "allow").await?.dialog()?;
    let name = &dialog.data["name"];
    assert_eq!(
        (&dialog.data["externalId"], name),
        (&"U7".into(), &"Ada Lovelace and Grace".into()),
        "{:?}",
        dialog.data
    );
    for asked in ["POST https://login.acme.example/t1/token", "GET https://login.acme.example/t1/jwks"] {
        dev.until(&format!("request  {asked} → 200"))?;
    }
    dev.until("request  GET https://login.acme.example/t1/userinfo → 200")?;

    // The URL of the line on the terminal, with a path behind it.
    let token = curl.split("Bearer ").nth(1).and_then(|rest| rest.split_once("' ")).context("a token and a URL")?;
    let asked = ada.request(Method::GET, &format!("{}me", token.1)).bearer_auth(token.0);
    assert_eq!(ada.send(asked).await?.json()?["id"], "A1");
    let removed = ada.request(Method::DELETE, "/api/0/organizations/dev/integrations/1/");
    assert_eq!(ada.send(removed).await?.status, 204);
    dev.until("request  POST https://login.acme.example/t1/revoke → 200")?;
    dev.stop("INT", &acme)
}

#[test]
fn a_first_version_that_does_not_build_is_waited_for() -> Result<()> {
    let acme = Crate::plugin("dev-unfinished")?;
    acme.edit("export_providers!(Acme);", "export_providers!(Acme;")?;
    let mut dev = Dev::start(&acme, &[])?;
    dev.until("refused  it does not build")?;
    dev.until("waiting")?;
    acme.edit("export_providers!(Acme;", "export_providers!(Acme);")?;
    dev.until("watching")?;
    dev.stop("TERM", &acme)
}

#[test]
fn a_build_under_way_ends_with_it() -> Result<()> {
    let slow = Crate::new("dev-slow", "")?;
    slow.write("src/lib.rs", "")?;
    slow.write("build.rs", "fn main() { loop { std::thread::park(); } }")?;
    let dev = Dev::start(&slow, &[])?;
    let is_building = |process: &Process| process.command_line.iter().any(|word| word.contains("build-script-build"));
    let end = Instant::now() + PATIENCE;
    while !dev.descendants()?.iter().any(|process| is_building(process) && process.command_line.len() == 1) {
        ensure!(Instant::now() < end, "the build script never runs");
        thread::park_timeout(Duration::from_millis(50));
    }
    dev.stop("HUP", &slow)
}

/// The error, without what cargo prints while it builds.
fn error_of(said: &str) -> &str {
    &said[said.find("error: ").unwrap_or_default()..]
}

#[test]
fn what_cannot_be_a_plugin_is_told_with_help() -> Result<()> {
    let nowhere = Crate::new("dev-nowhere", "")?;
    fs::remove_file(nowhere.0.path().join("Cargo.toml"))?;
    let said = nowhere.refused(|_| {})?;
    assert_snapshot!(redacted(error_of(&said)), @"
    error: [folder] is not inside a crate: there is no Cargo.toml here or above
      help: run this in the folder of your plugin, or make one with `jackfield plugin new`
    ");

    let rlib = Crate::new("dev-rlib", "")?;
    rlib.write("src/lib.rs", "")?;
    let said = rlib.refused(|_| {})?;
    assert_snapshot!(redacted(error_of(&said)), @r#"
    error: the crate `dev-rlib` makes no shared library
      help: add to its Cargo.toml

        [lib]
        crate-type = ["cdylib", "rlib"]
    "#);
    let said = rlib.refused(|command| {
        command.env("PATH", "/nowhere").env_remove("CARGO");
    })?;
    assert_snapshot!(redacted(error_of(&said)), @"
    error: cargo cannot be run: No such file or directory (os error 2)
      help: install Rust from https://rustup.rs, or put cargo on your PATH
    ");

    let other = Crate::new("dev-other", "[lib]\ncrate-type = [\"cdylib\"]\n")?;
    other.write("src/lib.rs", "")?;
    let said = other.refused(|_| {})?;
    assert_snapshot!(redacted(error_of(&said)), @"
    error: [target]/plugin-dev/debug/libdev_other.so: no jackfield plugin inside: the symbol JACKFIELD_PLUGIN_MANIFEST is missing
      help: check that it is a plugin: its source ends in `export_providers!(…)`
    ");
    Ok(())
}

#[tokio::test]
async fn no_other_host_has_the_link() -> Result<()> {
    let host = bare().start()?;
    for path in ["/auth/dev/x/", "/auth/dev/", "/visit"] {
        assert_eq!(HttpClient::new(&host.url).visit(path).await?.status, 404, "{path}");
    }
    Ok(())
}
