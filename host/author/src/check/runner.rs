//! Runs a check.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jackfield_config::{PluginSettings, ProviderOptions};
use jackfield_loader::{LaunchSpec, LibraryFile, PluginInfo, Refusal, declared_launch_spec, is_good_id, reach_of};
use jackfield_plugin_abi::envelope::{CreateOut, NamedProvider, Step, StepKind};

use super::{
    behaviour::Behaviour,
    budget::Budget,
    fuzzer::Fuzzer,
    judge::{FORM_VALUE, Judge, cleaned},
    plugin_under_test::PluginUnderTest,
    problem::Problem,
    rehearsal::Rehearsal,
    report::{CheckOptions, CheckReport, CheckedProvider},
};

/// Shorter than a host's: a plugin without I/O that takes this long takes for ever.
const DEADLINE: Duration = Duration::from_secs(3);

/// Checks one library.
///
/// # Errors
/// Why a host would refuse it.
pub async fn check(path: &Path, options: CheckOptions) -> Result<CheckReport, Refusal> {
    let file = LibraryFile::read(path)?;
    let spec = LaunchSpec::library(&file)?;
    report(spec, file.provider_ids(), &ProviderOptions::default(), options).await
}

/// Checks one declared provider, with the operator's table for it or an empty one.
///
/// # Errors
/// When its id cannot be one.
pub async fn check_declared(
    id: &str,
    table: &ProviderOptions,
    file: &Path,
    options: CheckOptions,
) -> Result<CheckReport, Refusal> {
    report(declared_launch_spec(id, table, file), None, table, options).await
}

async fn report(
    spec: LaunchSpec,
    ids_in_data: Option<Vec<String>>,
    table: &ProviderOptions,
    options: CheckOptions,
) -> Result<CheckReport, Refusal> {
    let budget = Budget::begin();
    let (entry, info) = (spec.entry().to_owned(), spec.info().clone());
    let started = Instant::now();
    let spec = spec.with_settings(PluginSettings { deadline: DEADLINE, ..PluginSettings::default() });
    let mut plugin = PluginUnderTest::start(spec).await?;
    let started_in = started.elapsed();
    let sandbox = plugin.sandbox();
    let named = providers(&mut plugin, &info, ids_in_data).await?;
    let ids: Vec<String> = named.iter().map(|(provider, _)| provider.id.clone()).collect();
    let mut providers = Vec::new();
    for (named, given_name) in named {
        if budget.used_up().is_some() {
            break;
        }
        let check = ProviderCheck { ids: &ids, table, options, budget: budget.of_provider() };
        let mut checked = check.run(&mut plugin, named).await;
        if let Some(problem) = cleaned("the name of the provider", &given_name) {
            checked.behaviour.add(problem, "its list of providers");
        }
        providers.push(checked);
    }
    let unchecked = ids.len() - providers.len();
    Ok(CheckReport { entry, info, sandbox, started_in, providers, unchecked })
}

async fn providers(
    plugin: &mut PluginUnderTest,
    info: &PluginInfo,
    ids_in_data: Option<Vec<String>>,
) -> Result<Vec<(NamedProvider, String)>, Refusal> {
    let (file, during) = (info.file.clone(), "listing its providers".to_owned());
    let named = plugin.providers().await.map_err(|found| Refusal::Failed { file, during, found })?;
    if let Some((bad, _)) = named.iter().find(|(provider, _)| !is_good_id(&provider.id)) {
        return Err(Refusal::BadId { file: info.file.clone(), id: bad.id.clone() });
    }
    let found: Vec<String> = named.iter().map(|(provider, _)| provider.id.clone()).collect();
    match ids_in_data.filter(|wanted| *wanted != found) {
        Some(wanted) => Err(Refusal::OtherProviders { file: info.file.clone(), found, wanted }),
        None => Ok(named),
    }
}

/// The check of one provider.
struct ProviderCheck<'a> {
    /// All that the library exports.
    ids: &'a [String],
    table: &'a ProviderOptions,
    options: CheckOptions,
    budget: Budget,
}

impl ProviderCheck<'_> {
    async fn run(mut self, plugin: &mut PluginUnderTest, named: NamedProvider) -> CheckedProvider {
        let mut behaviour = Behaviour::default();
        let description = plugin.create(&named.id, &self.table.table).await;
        let mut reach = String::new();
        if let Ok(description) = &description {
            match reach_of(description, self.table, None) {
                Ok(hosts) => reach = hosts.to_string(),
                Err(host) => behaviour.add(Problem::BadHost(host), "its description"),
            }
        }
        if self.options.questions > 0 {
            self.question(plugin, &named, &mut behaviour).await;
            if let Some(used_up) = self.budget.used_up() {
                let stopped = format!("{used_up} after {} invented questions", behaviour.questions);
                behaviour.add(Problem::Stopped(stopped), "the check");
            }
        }
        CheckedProvider { named, description, reach, behaviour }
    }

    /// Goes through an ordinary setup, then asks each of the plugin's own steps, and for the
    /// integration, with invented options and requests.
    async fn question(
        &mut self,
        plugin: &mut PluginUnderTest,
        named: &NamedProvider,
        behaviour: &mut Behaviour,
    ) -> Option<()> {
        let mut fuzzer = Fuzzer::new(self.options.seed, named, &self.table.table);
        let description = create_configured(plugin, named, &mut fuzzer, behaviour).await?;
        let judge = self.judge(&description, &fuzzer);
        let (canaries, budget) = (fuzzer.canaries(), &mut self.budget);
        Rehearsal { plugin, judge: &judge, canaries, budget, behaviour }.play().await?;
        let is_own = |step: &&Step| matches!(step.kind, StepKind::View | StepKind::OAuth2FromState);
        for step in description.steps.iter().filter(is_own).map(Some).chain([None]) {
            for _ in 0..self.options.questions {
                let question = fuzzer.question(step);
                let observation = plugin.observe_within(question, &mut fuzzer, &mut self.budget).await?;
                fuzzer.learn(&observation);
                behaviour.observe(step.map(|step| &*step.name), &observation, fuzzer.canaries());
                if behaviour.is_hopeless() {
                    return None;
                }
            }
        }
        Some(())
    }

    /// Judges with the options that the instance was made with: their URLs are hosts too.
    fn judge(&self, description: &CreateOut, fuzzer: &Fuzzer) -> Judge {
        let mut options = self.table.clone();
        options.table = fuzzer.options().clone();
        let reach = reach_of(description, &options, None).unwrap_or_default();
        let reach = reach.with_named(FORM_VALUE.parse());
        Judge { reach, steps: description.steps.clone(), ids: self.ids.to_vec() }
    }
}

/// Creates the provider with an invented text for each of its options. An option that wants
/// something else is left out.
async fn create_configured(
    plugin: &mut PluginUnderTest,
    named: &NamedProvider,
    fuzzer: &mut Fuzzer,
    behaviour: &mut Behaviour,
) -> Option<CreateOut> {
    loop {
        let error = match plugin.create(&named.id, fuzzer.options()).await {
            Ok(description) => return Some(description),
            Err(error) => error,
        };
        let before = fuzzer.options().len();
        error.options.iter().for_each(|option| fuzzer.leave_out(option));
        if fuzzer.options().len() == before {
            behaviour.add_create_error(error.reason, &error.message);
            return None;
        }
    }
}
