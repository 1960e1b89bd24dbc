//! Looks hard at one library or declared provider, for `plugin check` and `provider check`: what it says of itself, and how it behaves when it is asked what nobody would ask.
//!
//! A library runs in a worker like any other, and reaches no network: what it asks the host for is answered with inventions too.

mod behaviour;
mod fuzz;
mod subject;

use std::{path::Path, time::Duration};

pub use behaviour::{Behaviour, Finding, Problem};
use fuzz::Inventor;
use jackfield_plugin_abi::envelope::{CreateOut, NamedProvider, StepKind};
use subject::Subject;
pub use subject::Unmade;

use super::{
    LibraryFile, PluginInfo, Refusal, Sandbox, declared, is_good_id,
    life::{Recipe, Source},
    plugin::not_started,
    provider::reach,
    sealed_library::SealedLibrary,
};
use jackfield_config::{PluginSettings, ProviderOptions};

/// Shorter than a host's: whoever waits that long for a plugin without I/O waits for ever.
const DEADLINE: Duration = Duration::from_secs(3);

/// What is asked of a check.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Invented questions for each step of each provider.
    pub questions: u32,
    /// The same seed invents the same questions.
    pub seed: u64,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The library's path, or the table that declares the provider.
    pub entry: String,
    /// The library.
    pub info: PluginInfo,
    /// What held its worker.
    pub sandbox: Sandbox,
    /// From the start of its worker until it was ready.
    pub started_in: Duration,
    /// Its providers.
    pub providers: Vec<Examined>,
}

/// What was found of one provider.
#[derive(Debug)]
pub struct Examined {
    /// The provider.
    pub named: NamedProvider,
    /// Its description without any options, or with the table that declares it; or why it has none.
    pub described: Result<CreateOut, Unmade>,
    /// The hosts it asks to reach.
    pub reach: String,
    /// How it behaved.
    pub behaviour: Behaviour,
}

impl Report {
    /// Everything that an author has to help.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &Finding)> {
        self.providers.iter().flat_map(|provider| {
            provider.behaviour.findings.iter().map(|finding| (provider.named.id.as_str(), finding))
        })
    }
}

/// Checks one library.
///
/// # Errors
/// Why a host would refuse it.
pub async fn check(path: &Path, extent: Extent) -> Result<Report, Refusal> {
    let (info, source) = judged(path)?;
    report(path.display().to_string(), info, source, &ProviderOptions::default(), extent).await
}

/// Checks one declared provider, with the operator's table for it or an empty one.
///
/// # Errors
/// When it has an id that cannot be.
pub async fn check_declared(id: &str, table: &ProviderOptions, file: &Path, extent: Extent) -> Result<Report, Refusal> {
    let info = declared::info(id, table, file);
    let options = ["client-id", "client-secret"].map(str::to_owned).to_vec();
    let named = NamedProvider { options, ..declared::named(id, table) };
    report(format!("providers.{id}"), info, Source::Declared(named), table, extent).await
}

fn judged(path: &Path) -> Result<(PluginInfo, Source), Refusal> {
    let file = LibraryFile::read(path)?;
    let library = SealedLibrary::of(&file.bytes);
    let library = library.map_err(|error| Refusal::Unreadable { file: path.to_owned(), error })?;
    Ok((PluginInfo::of(&file), Source::Library(library)))
}

async fn report(
    entry: String,
    info: PluginInfo,
    source: Source,
    table: &ProviderOptions,
    extent: Extent,
) -> Result<Report, Refusal> {
    let recipe = Recipe {
        entry: entry.clone(),
        plugin: info.name.clone(),
        source,
        run: PluginSettings { deadline: DEADLINE, ..PluginSettings::default() },
        is_sandbox_required: false,
    };
    let started = std::time::Instant::now();
    let mut subject = Subject::start(recipe).await.map_err(|error| not_started(&info, error))?;
    let started_in = started.elapsed();
    let sandbox = subject.sandbox();
    let providers = named(&mut subject, &info).await?;
    let mut report = Report { entry, info, sandbox, started_in, providers: Vec::new() };
    for named in providers {
        report.providers.push(examined(&mut subject, named, table, extent).await);
    }
    Ok(report)
}

async fn named(subject: &mut Subject, info: &PluginInfo) -> Result<Vec<NamedProvider>, Refusal> {
    let (file, during) = (info.file.clone(), "listing its providers".to_owned());
    let named = subject.providers().await.map_err(|found| Refusal::Failed { file, during, found })?;
    match named.iter().find(|provider| !is_good_id(&provider.id)) {
        Some(bad) => Err(Refusal::BadId { file: info.file.clone(), id: bad.id.clone() }),
        None => Ok(named),
    }
}

async fn examined(subject: &mut Subject, named: NamedProvider, table: &ProviderOptions, extent: Extent) -> Examined {
    let mut behaviour = Behaviour::default();
    let described = subject.create(&named.id, &table.table).await;
    let mut reached = String::new();
    if let Ok(description) = &described {
        match reach(description, table, None) {
            Ok(reach) => reached = reach.to_string(),
            Err(host) => behaviour.found(Problem::BadHost(host), "its description"),
        }
    }
    if extent.questions > 0 {
        let inventor = Inventor::new(extent.seed, &named, &table.table);
        question(subject, &named, inventor, extent, &mut behaviour).await;
    }
    Examined { named, described, reach: reached, behaviour }
}

/// Asks every step of its own, and for the integration, with options and requests that are invented.
async fn question(
    subject: &mut Subject,
    named: &NamedProvider,
    mut inventor: Inventor,
    extent: Extent,
    behaviour: &mut Behaviour,
) {
    let Some(description) = configured(subject, named, &mut inventor, behaviour).await else { return };
    let asked = description.steps.iter().filter(|step| matches!(step.kind, StepKind::View | StepKind::OAuth2FromState));
    for step in asked.map(Some).chain([None]) {
        for _ in 0..extent.questions {
            let question = inventor.question(step);
            let observed = subject.observe(question, &mut inventor).await;
            inventor.learn(&observed);
            behaviour.observe(step.map(|step| &*step.name), &observed, inventor.canaries());
            if behaviour.is_hopeless() {
                return;
            }
        }
    }
}

/// Makes the provider with an invented text for every option that it takes; an option that wants something else is left out.
async fn configured(
    subject: &mut Subject,
    named: &NamedProvider,
    inventor: &mut Inventor,
    behaviour: &mut Behaviour,
) -> Option<CreateOut> {
    loop {
        let unmade = match subject.create(&named.id, inventor.options()).await {
            Ok(description) => return Some(description),
            Err(unmade) => unmade,
        };
        let before = inventor.options().len();
        unmade.options.iter().for_each(|option| inventor.leave_out(option));
        if inventor.options().len() == before {
            behaviour.unmade(unmade.reason, &unmade.message);
            return None;
        }
    }
}
