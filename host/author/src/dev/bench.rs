//! A throw-away folder with a configuration and the library that was built last, tried before any host is told of it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tempfile::TempDir;

use super::{cargo, dev_file::DevFile, failure::Failure, project::Project, stand_in::StandIn, terminal::say};
use jackfield_config::{self as config, Diagnostic, Diagnostics};
use jackfield_loader::{LibraryFile, Plugins, Provider, Step, StepKind};
use jackfield_outbound::Outbound;

/// The folder, which goes when this is dropped, and what answers in the place of the internet.
pub(super) struct Bench {
    project: Project,
    folder: TempDir,
    configuration: PathBuf,
    host_url: String,
    stand_in: StandIn,
    /// Where cargo has put the library: what is said of the copy is said of this.
    built: Mutex<PathBuf>,
}

type Options = BTreeMap<String, toml::Table>;

impl Bench {
    /// For a host that listens there.
    pub(super) async fn set_up(project: Project, host: SocketAddr, show_bodies: bool) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("jackfield-dev-").tempdir()?;
        let host_url = format!("http://{host}");
        if show_bodies {
            say("bodies", "are shown as they are, with every token and secret in them");
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

    /// Builds what is written now and tries it. When this is done a host can take over the configuration; otherwise it is as it was.
    pub(super) async fn prepare(&self) -> Result<(), Failure> {
        say("building", &self.project.name);
        let built = cargo::build(&self.project).await?;
        *self.built.lock().unwrap_or_else(PoisonError::into_inner) = built.clone();
        LibraryFile::read(&built)
            .map_err(|refusal| Failure::NoPlugin(format!("{refusal}\n  help: {}", refusal.help())))?;
        let said = DevFile::read(&self.project.dev_file()).map_err(Failure::DevFile)?;
        let library = self.take(&built).map_err(|error| Failure::Host(error.to_string()))?;
        let mut options = said.options.clone();
        let trial = self.folder.path().join("trial.toml");
        let mut plugins = self.attempt(&trial, &library, &options).await?;
        if make_up(&mut options, &plugins.all()) {
            plugins = self.attempt(&trial, &library, &options).await?;
        }
        fs::rename(trial, &self.configuration).map_err(|error| Failure::Host(error.to_string()))?;
        self.stand_in.follow(said, plugins.all().iter().flat_map(|provider| issuers(provider)));
        plugins.all().iter().for_each(|provider| tell(provider));
        Ok(())
    }

    /// Copies a library to where a host takes it: a target folder may be writable by others, and is cargo's to change.
    fn take(&self, built: &Path) -> io::Result<PathBuf> {
        let (new, library) = (self.folder.path().join("new"), self.folder.path().join("plugin.so"));
        fs::copy(built, &new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
        fs::rename(new, &library)?;
        Ok(library)
    }

    /// Starts the plugin with these options, in a worker of its own that ends with the answer.
    async fn attempt(&self, trial: &Path, library: &Path, options: &Options) -> Result<Plugins, Failure> {
        let text = self.written(library, options);
        fs::write(trial, text).map_err(|error| Failure::Host(error.to_string()))?;
        let settings = config::load(trial).map_err(|diagnostics| self.told(diagnostics))?;
        let outbound = Outbound::new(&settings.http).map_err(|error| Failure::Host(error.to_string()))?;
        let (plugins, diagnostics) = Plugins::load(&settings, &outbound).await;
        if diagnostics.is_empty() { Ok(plugins) } else { Err(self.told(diagnostics.into())) }
    }

    fn written(&self, library: &Path, options: &Options) -> String {
        let text = |text: &str| toml::Value::from(text).to_string();
        let in_folder = |name: &str| self.folder.path().join(name).display().to_string();
        let mut written = format!("default-integrations = [{}]\n", text(&library.display().to_string()));
        // At the top: further down they would belong to a section.
        for (id, table) in options {
            let _ = writeln!(written, "{} = {}", text(id), toml::Value::Table(table.clone()));
        }
        let _ = write!(
            written,
            "[system]\nurl-prefix = {}\ncontrol = {}\nsecret-key = {{ file = {} }}\n[database]\nurl = {}\n[http]\nstand-in = {}\n",
            text(&self.host_url),
            text(&in_folder("control.sock")),
            text(&in_folder("secret.key")),
            text(&format!("sqlite://{}", in_folder("jackfield.db"))),
            text(self.stand_in.url()),
        );
        written
    }

    /// Diagnostics of the configuration in terms of what the author has written.
    pub(super) fn told(&self, diagnostics: Diagnostics) -> Failure {
        let lines: Vec<String> = diagnostics.list().iter().map(|diagnostic| self.told_one(diagnostic)).collect();
        Failure::Diagnostics(lines.join("\n"))
    }

    fn told_one(&self, Diagnostic { key, message, help, .. }: &Diagnostic) -> String {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner).display().to_string();
        let message = message.replace(&self.folder.path().join("plugin.so").display().to_string(), &built);
        let place = if key == "default-integrations" { String::new() } else { format!("dev.toml: options.{key}: ") };
        format!("{place}{message}\n  help: {help}")
    }
}

/// Gives providers the options they cannot be offered without, where the author has said nothing. Whether there were any.
fn make_up(options: &mut Options, providers: &[std::sync::Arc<Provider>]) -> bool {
    let mut has_made_up = false;
    for provider in providers {
        for key in provider.missing_options() {
            let table = options.entry(provider.id().to_owned()).or_default();
            table.insert(key.clone(), toml::Value::from(made_up(key)));
            let id = provider.id();
            say("made up", &format!("{key} = {:?}; write yours under [options.{id}] in dev.toml", made_up(key)));
            has_made_up = true;
        }
    }
    has_made_up
}

/// The issuers that its steps are described by. Those that depend on what a person says come to be known when they are asked.
fn issuers(provider: &Provider) -> Vec<String> {
    let issuer = |step: &Step| match &step.kind {
        StepKind::OAuth2(oauth2) => oauth2.issuer.clone(),
        _ => None,
    };
    provider.steps().iter().filter_map(issuer).collect()
}

fn made_up(key: &str) -> String {
    if key.ends_with("url") || key == "issuer" { format!("https://{key}.example") } else { "dev".to_owned() }
}

fn tell(provider: &Provider) {
    let (name, id) = (provider.name(), provider.id());
    let hosts = provider.outbound(&[]).allowed_hosts().map(ToString::to_string).unwrap_or_default();
    say("provider", &format!("{name} ({id}), may reach: {hosts}"));
    if !provider.is_configured() {
        say(
            "hidden",
            &format!(
                "{id} says that it is not configured: nobody is offered it\n  help: write what it needs under [options.{id}] in dev.toml"
            ),
        );
    }
}
