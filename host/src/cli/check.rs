//! `jackfield plugin check` and `jackfield provider check`.

use std::path::{Path, PathBuf};

use jackfield_author::check::{Behaviour, CheckOptions, CheckReport, CheckedProvider, Finding, check, check_declared};
use jackfield_config::text::escaped_lines;
use jackfield_loader::{StepKind, catalogue, catalogue_entry, verify_file};

use super::{
    errors::{not_in_catalogue, with_help},
    lines::{line, print_lines, print_note},
    plugin_report::{print_info, print_sandbox},
};

/// How much to ask.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct CheckArguments {
    /// How many invented requests each step gets; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 200)]
    questions: u32,
    /// The same seed invents the same requests.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl From<CheckArguments> for CheckOptions {
    fn from(CheckArguments { questions, seed }: CheckArguments) -> Self {
        Self { questions, seed }
    }
}

/// `plugin check`.
pub(super) async fn check_libraries(
    paths: &[PathBuf],
    options: CheckOptions,
    configuration: &Path,
) -> anyhow::Result<()> {
    let trusted = jackfield_config::load_lenient(configuration).map(|(settings, _)| settings.plugins.trusted_keys);
    let trusted = trusted.unwrap_or_default();
    let mut bad = 0;
    for path in paths {
        match check(path, options).await {
            Ok(mut report) => {
                // The path and the signer do not matter to an author, so they are only a note.
                let proof = verify_file(path, &trusted);
                report.info.signer = proof.as_ref().ok().and_then(|file| file.signer().map(str::to_owned));
                bad += usize::from(!print_report(&report));
                if let Err(refusal) = proof {
                    print_lines(&format!("note: a host would refuse it where it lies: {:#}", with_help(refusal)));
                }
            }
            Err(refusal) => {
                bad += 1;
                print_note(&escaped_lines(&format!("refused: {:#}", with_help(refusal))));
            }
        }
    }
    match bad {
        0 => Ok(()),
        1 if paths.len() == 1 => anyhow::bail!("the plugin has problems"),
        _ => anyhow::bail!("{bad} of {} plugins have problems", paths.len()),
    }
}

/// `provider check`.
pub(super) async fn check_providers(
    mut names: Vec<String>,
    all: bool,
    options: CheckOptions,
    file: &Path,
) -> anyhow::Result<()> {
    let providers = jackfield_config::load_lenient(file).map(|(settings, _)| settings.providers).unwrap_or_default();
    if all {
        names.extend(catalogue().iter().map(|known| known.id.to_owned()));
    } else if names.is_empty() {
        names.extend(providers.keys().cloned());
    }
    let mut bad = 0;
    for name in &names {
        let table = providers.get(name).cloned();
        anyhow::ensure!(table.is_some() || catalogue_entry(name).is_some(), "{}", not_in_catalogue(name));
        let report = check_declared(name, &table.unwrap_or_default(), file, options).await;
        bad += usize::from(!print_report(&report.map_err(|refusal| anyhow::anyhow!("{refusal}"))?));
    }
    anyhow::ensure!(bad == 0, "{bad} of {} providers have problems", names.len());
    line!("checked {}: no problems", names.len());
    Ok(())
}

/// Prints what a check has found. Returns whether all of it is good.
pub(super) fn print_report(report: &CheckReport) -> bool {
    line!("{}: loads, in {:?}", report.entry, report.started_in);
    print_info(&report.info);
    if !report.sandbox.held.is_empty() {
        print_sandbox(&report.sandbox);
        line!("  opens   with the C library only; no executable stack, text relocations, IFUNC or search path");
    }
    line!("  limits  {}", CheckReport::limits());
    report.providers.iter().for_each(print_checked);
    let mut is_good = true;
    for (provider, finding) in report.problems() {
        is_good &= finding.problem.is_warning();
        print_finding(provider, finding);
    }
    if report.unchecked > 0 {
        line!(
            "WARNING the check was stopped: its time is used up, and {} providers were not checked",
            report.unchecked
        );
    }
    for provider in &report.providers {
        let Err(error) = &provider.description else { continue };
        is_good = false;
        let help = if error.options.is_empty() { "" } else { "; give each option a default" };
        line!("PROBLEM {}, made without options: {}{help}", provider.named.id, error.message);
    }
    is_good
}

fn print_finding(provider: &str, Finding { problem, place, question }: &Finding) {
    let word = if problem.is_warning() { "WARNING" } else { "PROBLEM" };
    line!("{word} {provider}, {place}: {problem}");
    if !question.is_empty() {
        line!("        at {question}");
    }
    if let Some(help) = problem.help() {
        line!("        help: {help}");
    }
}

fn print_checked(checked: &CheckedProvider) {
    line!("provider {} ({})", checked.named.id, checked.named.name);
    if !checked.named.options.is_empty() {
        line!("  options {}", checked.named.options.join(", "));
    }
    match &checked.description {
        Ok(description) => {
            for step in &description.steps {
                let by = if step.kind == StepKind::View { "the plugin" } else { "the host, OAuth 2.0" };
                line!("  step    {}, run by {by}", step.name);
            }
            if !description.missing.is_empty() {
                line!("  needs   {}", description.missing.join(", "));
            }
            line!("  hosts   {}", checked.reach);
        }
        Err(error) => line!("  failed  {}", error.message),
    }
    print_behaviour(&checked.behaviour);
}

fn print_behaviour(behaviour: &Behaviour) {
    if behaviour.questions == 0 {
        return;
    }
    let answers: Vec<String> = behaviour.answers.iter().map(|(sort, count)| format!("{count} {sort}")).collect();
    line!(
        "  asked   {} questions: {}; slowest {:?}, largest {} bytes",
        behaviour.questions,
        answers.join(", "),
        behaviour.slowest,
        behaviour.largest
    );
}
