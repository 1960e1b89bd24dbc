//! What `plugin list` and `plugin check` print.

use jackfield_author::check::{Behaviour, CheckReport, CheckedProvider};
use jackfield_loader::{PluginInfo, PluginState, PluginStatus, Sandbox, StepKind};

/// One plugin and its providers, as `plugin list` shows them.
pub(super) fn print_status(status: &PluginStatus) {
    let state = match status.state {
        PluginState::Running => "running",
        PluginState::Restarting => "restarting",
    };
    let pid = status.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    println!("{}: {state}, {}{pid}", status.entry, status.isolation);
    print_info(&status.info);
    match &status.sandbox {
        Some(sandbox) => print_sandbox(sandbox),
        None if status.isolation == "in-process" => println!("  sandbox none: it has all of the host's rights"),
        None => {}
    }
    println!("  calls   {}", status.calls);
    println!("  restarts {}", status.restarts);
    if let Some(error) = &status.last_error {
        println!("  error   {error}");
    }
    for provider in &status.providers {
        let is_offered = if provider.is_configured {
            "configured".to_owned()
        } else {
            format!("not configured, missing: {}", provider.missing.join(", "))
        };
        println!("  {} ({}): {is_offered}", provider.id, provider.name);
        println!("    hosts {}", provider.hosts);
    }
}

/// A library as its manifest and its bytes tell.
pub(super) fn print_info(info: &PluginInfo) {
    println!("  plugin  {} {}, abi {}", info.name, info.version, info.abi);
    println!("  file    {}", info.file.display());
    println!("  sha256  {}", info.digest);
    if let Some(signer) = &info.signer {
        println!("  signer  {signer}");
    }
}

fn print_sandbox(sandbox: &Sandbox) {
    println!("  sandbox {}", sandbox.held.join(", "));
    if !sandbox.missing.is_empty() {
        println!("  MISSING {}", sandbox.missing.join(", "));
    }
}

/// What a check has found; whether all of it is good.
pub(super) fn print_report(report: &CheckReport) -> bool {
    println!("{}: loads, in {:?}", report.entry, report.started_in);
    print_info(&report.info);
    if !report.sandbox.held.is_empty() {
        print_sandbox(&report.sandbox);
    }
    report.providers.iter().for_each(print_checked);
    let mut is_good = true;
    for (provider, finding) in report.problems() {
        is_good = false;
        println!("PROBLEM {provider}, {}: {}", finding.place, finding.problem);
        if !finding.question.is_empty() {
            println!("        at {}", finding.question);
        }
    }
    for provider in &report.providers {
        let Err(error) = &provider.description else { continue };
        is_good = false;
        let help = if error.options.is_empty() { "" } else { "; give each option a default" };
        println!("PROBLEM {}, made without options: {}{help}", provider.named.id, error.message);
    }
    is_good
}

fn print_checked(checked: &CheckedProvider) {
    println!("provider {} ({})", checked.named.id, checked.named.name);
    if !checked.named.options.is_empty() {
        println!("  options {}", checked.named.options.join(", "));
    }
    match &checked.description {
        Ok(description) => {
            for step in &description.steps {
                let by = if step.kind == StepKind::View { "the plugin" } else { "the host, OAuth 2.0" };
                println!("  step    {}, run by {by}", step.name);
            }
            if !description.missing.is_empty() {
                println!("  needs   {}", description.missing.join(", "));
            }
            println!("  hosts   {}", checked.reach);
        }
        Err(error) => println!("  failed  {}", error.message),
    }
    print_behaviour(&checked.behaviour);
}

fn print_behaviour(behaviour: &Behaviour) {
    if behaviour.questions == 0 {
        return;
    }
    let answers: Vec<String> = behaviour.answers.iter().map(|(sort, count)| format!("{count} {sort}")).collect();
    println!(
        "  asked   {} questions: {}; slowest {:?}, largest {} bytes",
        behaviour.questions,
        answers.join(", "),
        behaviour.slowest,
        behaviour.largest
    );
}
