//! A temporary folder with a configuration and the newest library. The library is tried before the
//! host loads it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use tempfile::TempDir;

use super::{cargo_build, dev_file::DevFile, failure::Failure, project::Project, stand_in::StandIn, terminal::print};
use jackfield_config::{self as config, Diagnostic, Diagnostics};
use jackfield_loader::{LibraryFile, Plugins, Provider, ProviderOwners, Step, StepKind};
use jackfield_outbound::Outbound;

/// The folder, which is removed when this is dropped, and the stand-in for the internet.
pub(super) struct SandboxFolder {
    project: Project,
    folder: TempDir,
    configuration: PathBuf,
    host_url: String,
    stand_in: StandIn,
    /// The library where cargo has put it. Messages name it in the place of the copy.
    built: Mutex<PathBuf>,
}

type Options = BTreeMap<String, toml::Table>;

impl SandboxFolder {
    /// For a host that listens at this address.
    pub(super) async fn create(project: Project, host: SocketAddr, show_bodies: bool) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("jackfield-dev-").tempdir()?;
        let host_url = format!("http://{host}");
        if show_bodies {
            print("bodies", "are shown as they are, with every token and secret in them");
        }
        let stand_in = StandIn::start(&host_url, show_bodies).await?;
        let configuration = folder.path().join("jackfield.toml");
        Ok(Self { project, folder, configuration, host_url, stand_in, built: Mutex::default() })
    }

    pub(super) fn configuration(&self) -> &Path {
        &self.configuration
    }

    pub(super) fn host_url(&self) -> &str {
        &self.host_url
    }

    pub(super) fn stand_in_url(&self) -> &str {
        self.stand_in.url()
    }

    /// Builds the crate and tries the library. Then the configuration names it; after a failure the
    /// configuration is as it was.
    pub(super) async fn prepare(&self) -> Result<(), Failure> {
        print("building", &self.project.name);
        let built = cargo_build::build(&self.project).await?;
        *self.built.lock() = built.clone();
        LibraryFile::read(&built)
            .map_err(|refusal| Failure::NoPlugin(format!("{refusal}\n  help: {}", refusal.help())))?;
        let dev_file = DevFile::read(&self.project.dev_file()).map_err(Failure::DevFile)?;
        let library = self.copy_library(&built).map_err(|error| Failure::Host(error.to_string()))?;
        let mut options = dev_file.options.clone();
        let trial = self.folder.path().join("trial.toml");
        let mut plugins = self.load(&trial, &library, &options).await?;
        if invent_missing(&mut options, &plugins.all()) {
            plugins = self.load(&trial, &library, &options).await?;
        }
        fs::rename(trial, &self.configuration).map_err(|error| Failure::Host(error.to_string()))?;
        self.stand_in.follow(dev_file, plugins.all().iter().flat_map(|provider| issuers(provider)));
        plugins.all().iter().for_each(|provider| print_provider(provider));
        Ok(())
    }

    /// Copies the library to a folder that a host accepts: others may be able to write cargo's, and
    /// cargo changes it.
    fn copy_library(&self, built: &Path) -> io::Result<PathBuf> {
        let (new, library) = (self.folder.path().join("new"), self.folder.path().join("plugin.so"));
        fs::copy(built, &new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
        fs::rename(new, &library)?;
        Ok(library)
    }

    /// Loads the plugin with these options. Its worker ends when the result is dropped.
    async fn load(&self, trial: &Path, library: &Path, options: &Options) -> Result<Plugins, Failure> {
        let text = self.configuration_text(library, options);
        fs::write(trial, text).map_err(|error| Failure::Host(error.to_string()))?;
        // A host refuses one that a group can write, as some systems make files.
        fs::set_permissions(trial, fs::Permissions::from_mode(0o600))
            .map_err(|error| Failure::Host(error.to_string()))?;
        let settings = config::load(trial).map_err(|diagnostics| self.failure(&diagnostics))?;
        let outbound = Outbound::new(&settings.http).map_err(|error| Failure::Host(error.to_string()))?;
        let (plugins, diagnostics) = Plugins::load(&settings, &ProviderOwners::default(), &outbound).await;
        if diagnostics.is_empty() { Ok(plugins) } else { Err(self.failure(&diagnostics.into())) }
    }

    fn configuration_text(&self, library: &Path, options: &Options) -> String {
        let text = |text: &str| toml::Value::from(text).to_string();
        let in_folder = |name: &str| self.folder.path().join(name).display().to_string();
        let mut configuration = format!("default-integrations = [{}]\n", text(&library.display().to_string()));
        // First: after a section they would belong to it.
        for (id, table) in options {
            let _ = writeln!(configuration, "{} = {}", text(id), toml::Value::Table(table.clone()));
        }
        let _ = write!(
            configuration,
            "[system]\nurl-prefix = {}\ncontrol = {}\nsecret-key = {{ file = {} }}\n[database]\nurl = {}\n[http]\nstand-in = {}\n",
            text(&self.host_url),
            text(&in_folder("control.sock")),
            text(&in_folder("secret.key")),
            text(&format!("sqlite://{}", in_folder("jackfield.db"))),
            text(self.stand_in.url()),
        );
        configuration
    }

    /// Diagnostics of the configuration, in terms of the author's own files.
    pub(super) fn failure(&self, diagnostics: &Diagnostics) -> Failure {
        let lines: Vec<String> = diagnostics.list().iter().map(|diagnostic| self.in_dev_file(diagnostic)).collect();
        Failure::Diagnostics(lines.join("\n"))
    }

    fn in_dev_file(&self, Diagnostic { key, message, help, .. }: &Diagnostic) -> String {
        let built = self.built.lock().display().to_string();
        let message = message.replace(&self.folder.path().join("plugin.so").display().to_string(), &built);
        let place = if key == "default-integrations" { String::new() } else { format!("dev.toml: options.{key}: ") };
        format!("{place}{message}\n  help: {help}")
    }
}

/// Adds the options that a provider needs and the author has not set. The answer is whether there
/// were any.
fn invent_missing(options: &mut Options, providers: &[std::sync::Arc<Provider>]) -> bool {
    let mut has_invented = false;
    for provider in providers {
        for key in provider.missing_options() {
            let table = options.entry(provider.id().to_owned()).or_default();
            table.insert(key.clone(), toml::Value::from(invented(key)));
            let id = provider.id();
            print("made up", &format!("{key} = {:?}; write yours under [options.{id}] in dev.toml", invented(key)));
            has_invented = true;
        }
    }
    has_invented
}

/// The issuers of a provider's steps. An issuer that depends on a form is known once its metadata
/// are requested.
fn issuers(provider: &Provider) -> Vec<String> {
    let issuer = |step: &Step| match &step.kind {
        StepKind::OAuth2(oauth2) => oauth2.issuer.clone(),
        _ => None,
    };
    provider.steps().iter().filter_map(issuer).collect()
}

fn invented(key: &str) -> String {
    if key.ends_with("url") || key == "issuer" { format!("https://{key}.example") } else { "dev".to_owned() }
}

fn print_provider(provider: &Provider) {
    let (name, id) = (provider.name(), provider.id());
    let hosts = provider.outbound(&[]).allowed_hosts().map(ToString::to_string).unwrap_or_default();
    print("provider", &format!("{name} ({id}), may reach: {hosts}"));
    if !provider.is_configured() {
        print(
            "hidden",
            &format!(
                "{id} says that it is not configured: the host offers it to nobody\n  help: write what it needs under [options.{id}] in dev.toml"
            ),
        );
    }
}
