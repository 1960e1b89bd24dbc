//! Runs a check.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jackfield_config::{PluginSettings, ProviderOptions};
use jackfield_loader::{LaunchSpec, LibraryFile, PluginInfo, Refusal, declared_launch_spec, is_good_id, reach_of};
use jackfield_plugin_abi::envelope::{CreateOut, NamedProvider, StepKind};

use super::{
    behaviour::{Behaviour, Problem},
    fuzzer::Fuzzer,
    plugin_under_test::PluginUnderTest,
    report::{CheckOptions, CheckReport, CheckedProvider},
};

/// Shorter than a host's: a plugin without I/O that takes this long takes for ever.
const DEADLINE: Duration = Duration::from_secs(3);

/// Checks one library.
///
/// # Errors
/// Why a host would refuse it.
pub async fn check(path: &Path, options: CheckOptions) -> Result<CheckReport, Refusal> {
    let spec = LaunchSpec::library(&LibraryFile::read(path)?)?;
    report(spec, &ProviderOptions::default(), options).await
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
    report(declared_launch_spec(id, table, file), table, options).await
}

async fn report(spec: LaunchSpec, table: &ProviderOptions, options: CheckOptions) -> Result<CheckReport, Refusal> {
    let (entry, info) = (spec.entry().to_owned(), spec.info().clone());
    let started = Instant::now();
    let spec = spec.with_settings(PluginSettings { deadline: DEADLINE, ..PluginSettings::default() });
    let mut plugin = PluginUnderTest::start(spec).await?;
    let started_in = started.elapsed();
    let sandbox = plugin.sandbox();
    let named = providers(&mut plugin, &info).await?;
    let mut providers = Vec::new();
    for named in named {
        providers.push(check_provider(&mut plugin, named, table, options).await);
    }
    Ok(CheckReport { entry, info, sandbox, started_in, providers })
}

async fn providers(plugin: &mut PluginUnderTest, info: &PluginInfo) -> Result<Vec<NamedProvider>, Refusal> {
    let (file, during) = (info.file.clone(), "listing its providers".to_owned());
    let named = plugin.providers().await.map_err(|found| Refusal::Failed { file, during, found })?;
    match named.iter().find(|provider| !is_good_id(&provider.id)) {
        Some(bad) => Err(Refusal::BadId { file: info.file.clone(), id: bad.id.clone() }),
        None => Ok(named),
    }
}

async fn check_provider(
    plugin: &mut PluginUnderTest,
    named: NamedProvider,
    table: &ProviderOptions,
    options: CheckOptions,
) -> CheckedProvider {
    let mut behaviour = Behaviour::default();
    let description = plugin.create(&named.id, &table.table).await;
    let mut reach = String::new();
    if let Ok(description) = &description {
        match reach_of(description, table, None) {
            Ok(hosts) => reach = hosts.to_string(),
            Err(host) => behaviour.add(Problem::BadHost(host), "its description"),
        }
    }
    if options.questions > 0 {
        let fuzzer = Fuzzer::new(options.seed, &named, &table.table);
        question(plugin, &named, fuzzer, options, &mut behaviour).await;
    }
    CheckedProvider { named, description, reach, behaviour }
}

/// Asks each of the plugin's own steps, and for the integration, with invented options and
/// requests.
async fn question(
    plugin: &mut PluginUnderTest,
    named: &NamedProvider,
    mut fuzzer: Fuzzer,
    options: CheckOptions,
    behaviour: &mut Behaviour,
) {
    let Some(description) = create_configured(plugin, named, &mut fuzzer, behaviour).await else { return };
    let own = description.steps.iter().filter(|step| matches!(step.kind, StepKind::View | StepKind::OAuth2FromState));
    for step in own.map(Some).chain([None]) {
        for _ in 0..options.questions {
            let question = fuzzer.question(step);
            let observation = plugin.observe(question, &mut fuzzer).await;
            fuzzer.learn(&observation);
            behaviour.observe(step.map(|step| &*step.name), &observation, fuzzer.canaries());
            if behaviour.is_hopeless() {
                return;
            }
        }
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
