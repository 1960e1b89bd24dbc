//! A plugin author's first minutes: `jackfield plugin new`, with the packages as they would be
//! published, up to a setup.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use axum::{
    Json, Router,
    extract::Query,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use jackfield_test_support::host::Host;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    app::ApiClient,
    app::{PASSWORD, bare, log_in, program},
};

const PACKAGES: [&str; 3] = ["jackfield-plugin-abi", "jackfield-plugin", "jackfield-plugin-test"];

/// A folder outside the repository with the unpacked packages that would be published.
struct Workshop(TempDir);

impl Workshop {
    fn open() -> Result<Self> {
        let workshop = Self(tempfile::tempdir()?);
        let folder = workshop.0.path();
        let mut package = workshop.cargo(Path::new(env!("CARGO_MANIFEST_DIR")));
        package.args(["package", "--no-verify", "--offline", "--allow-dirty", "--quiet"]);
        package.args(PACKAGES.iter().flat_map(|name| ["--package", name]));
        package.args(["--target-dir".as_ref(), folder.join("packaged").as_os_str()]);
        done(&mut package)?;
        for entry in fs::read_dir(folder.join("packaged/package"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "crate") {
                done(Command::new("tar").arg("xzf").arg(path).current_dir(folder))?;
            }
        }
        Ok(workshop)
    }

    /// Cargo with its own target folder: the one of this build is locked.
    fn cargo(&self, folder: &Path) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(folder).env("CARGO_TARGET_DIR", self.0.path().join("target"));
        // Without debug information, builds are smaller and faster.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(variable);
        }
        cargo
    }

    /// Cargo in a crate, with the unpacked packages instead of the registry's, and the versions of
    /// this repository's lock file.
    fn cargo_in(&self, name: &str, command: &str) -> Command {
        let mut cargo = self.cargo(&self.0.path().join(name));
        cargo.args([command, "--offline", "--quiet"]);
        for package in PACKAGES {
            let path = fs::read_dir(self.0.path()).into_iter().flatten().flatten().map(|entry| entry.path());
            let unpacked = path.filter_map(|path| is_version_of(&path, package).then_some(path)).next();
            let unpacked = unpacked.unwrap_or_else(|| panic!("{package} is not packaged"));
            cargo.args(["--config", &format!("patch.crates-io.{package}.path={unpacked:?}")]);
        }
        cargo
    }

    /// Makes a plugin, follows its README, and runs its CI checks.
    fn plugin(&self, name: &str, flags: &[&str]) -> Result<PathBuf> {
        done(Command::new(program().path).args(["plugin", "new", name]).args(flags).current_dir(&self.0))?;
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        fs::copy(lock, self.0.path().join(name).join("Cargo.lock"))?;
        done(self.cargo(&self.0.path().join(name)).args(["fmt", "--check"]))?;
        // Clippy in the build that is needed anyway saves half a minute.
        let clippy = |cargo: &mut Command| {
            cargo.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings");
        };
        let mut test = self.cargo_in(name, "test");
        clippy(&mut test);
        done(&mut test)?;
        let mut through_host = self.cargo_in(name, "test");
        clippy(through_host.args(["--test", "setup"]).env("JACKFIELD_PLUGIN_TEST_HOST", program().path));
        done(&mut through_host)?;
        done(&mut self.cargo_in(name, "build"))?;
        let library = self.0.path().join(format!("target/debug/lib{}.so", name.replace('-', "_")));
        ensure!(library.exists(), "{} is not built", library.display());
        Ok(library)
    }
}

fn is_version_of(path: &Path, package: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix(package)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Runs a command and returns what it printed. If it fails, the error has all output.
fn done(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(said)
}

/// A service for both plugins: it consents at once, issues one token, and has one account.
async fn service() -> Result<String> {
    #[derive(Deserialize)]
    struct Authorize {
        redirect_uri: String,
        state: String,
    }
    async fn authorize(Query(asked): Query<Authorize>) -> impl IntoResponse {
        let location = format!("{}?code=c0de&state={}", asked.redirect_uri, asked.state);
        (StatusCode::FOUND, [(header::LOCATION, location)])
    }
    async fn me(headers: HeaderMap) -> Json<Value> {
        assert_eq!(headers["authorization"], "Bearer t0ken");
        Json(json!({"id": "A1", "name": "Ada's account"}))
    }
    let token = || async { Json(json!({"access_token": "t0ken"})) };
    let router = Router::new().route("/authorize", get(authorize)).route("/token", post(token)).route("/me", get(me));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plugin_of_either_kind_passes_its_tests_loads_and_is_set_up() -> Result<()> {
    let workshop = Workshop::open()?;
    let form = workshop.plugin("my-crm", &[])?;
    let oauth2 = workshop.plugin("their_crm", &["--oauth2"])?;
    for library in [&form, &oauth2] {
        let check = done(Command::new(program().path).args(["plugin", "check"]).arg(library).current_dir(&workshop.0))?;
        ensure!(!check.contains("WARNING"), "{check}");
    }

    let service = service().await?;
    let options = format!(
        "[http]\nallow-private = [\"127.0.0.1\"]\n[my-crm]\napi-url = \"{service}\"\n[their_crm]\nclient-id = \"id\"\n\
         client-secret = \"s3cret\"\nauthorize-url = \"{service}/authorize\"\ntoken-url = \"{service}/token\"\napi-url = \"{service}\"\n"
    );
    let host =
        bare().listed(&form.display().to_string()).listed(&oauth2.display().to_string()).toml(&options).start()?;
    host.user("ada@example.com", PASSWORD)?;
    host.organization("acme")?;
    host.member("acme", "ada@example.com", "owner")?;
    let ada = log_in(&host, "ada@example.com").await?;

    let step = ada.start_setup("acme", "my-crm").await?;
    ensure!(step.text.contains("name=\"token\""), "{}", step.text);
    let dialog = ada.post("/extensions/my-crm/setup/", &[("token", "t0ken")]).await?.dialog()?;
    assert_eq!((dialog.success, &dialog.data["externalId"]), (true, &json!("A1")), "{}", host.log()?);
    uses(&host, &dialog.data).await?;
    let dialog = ada.install("acme", "their_crm").await?.dialog()?;
    assert_eq!((dialog.success, &dialog.data["name"]), (true, &json!("Ada's account")), "{}", host.log()?);
    uses(&host, &dialog.data).await
}

/// A program calls the service's API through the host. The service checks the token.
async fn uses(host: &Host, installed: &Value) -> Result<()> {
    let response = ApiClient::of_integration(host, installed)?.proxy_get("me").await?;
    assert_eq!((response.status, response.json()?["id"].take()), (200, json!("A1")), "{}", host.log()?);
    Ok(())
}

#[test]
fn a_plugin_of_any_good_name_is_formatted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, flags) in
        [("a".to_owned(), &["--oauth2"][..]), ("b".repeat(64), &[]), (format!("c{}", "-d".repeat(31)), &["--oauth2"])]
    {
        done(Command::new(program().path).args(["plugin", "new", &name]).args(flags).current_dir(&folder))?;
        let sources = ["src/lib.rs", "tests/setup.rs"].map(|file| folder.path().join(&name).join(file));
        done(Command::new("rustfmt").args(["--edition", "2024", "--check"]).args(sources).current_dir(&folder))?;
    }
    Ok(())
}
