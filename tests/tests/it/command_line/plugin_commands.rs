//! What `plugin list`, `plugin check` and `provider check` print.

use anyhow::Result;
use insta::assert_snapshot;
use jackfield_test_support::host::built_library;

use crate::app::{PASSWORD, bare, log_in, redacted, redacted_with};

/// Whether a check of a library succeeds, and what it prints.
pub(crate) fn checked(name: &str, more: &[&str]) -> Result<(bool, String)> {
    let library = built_library(name)?.display().to_string();
    let output = bare().folder_only().run(&[&["plugin", "check", &library], more].concat())?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((output.status.success(), said.replace(&library, "FILE")))
}

#[test]
fn a_good_plugin_passes_its_check() -> Result<()> {
    let (is_good, said) = checked("example", &[])?;
    assert!(is_good, "{said}");
    assert_snapshot!(redacted(&said), @"
    FILE: loads, in [duration]
      plugin  jackfield-plugin-example 0.1.0, abi 1.0
      file    FILE
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      opens   with the C library only; no executable stack, text relocations, IFUNC or search path
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
    provider example (Example)
      step    name, run by the plugin
      hosts   none
      asked   400 questions: 39 event, 56 fault, 178 html, 25 integration, 22 next, 29 refresh, 24 revocation, 27 webhook; slowest [duration], largest 24337 bytes
    ");
    let (is_good, said) = checked("slack", &["--questions", "20"])?;
    assert!(is_good, "{said}");
    assert_snapshot!(redacted(&said), @"
    FILE: loads, in [duration]
      plugin  jackfield-plugin-slack 0.1.0, abi 1.0
      file    FILE
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      opens   with the C library only; no executable stack, text relocations, IFUNC or search path
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
    provider slack (Slack)
      options client-id, client-secret, signing-secret, verification-token, api, scopes, user-scopes, authorize-url, token-url
      step    oauth2, run by the host, OAuth 2.0
      needs   client-id, client-secret
      hosts   slack.com
      asked   20 questions: 5 event, 9 fault, 4 refresh, 2 webhook; slowest [duration], largest 76 bytes
    ");
    Ok(())
}

#[test]
fn a_check_finds_panics_stalls_requests_without_end_and_leaked_options() -> Result<()> {
    let (is_good, said) = checked("misbehaving", &["--questions", "60"])?;
    assert!(!is_good);
    let problems: Vec<_> = said.lines().filter(|line| line.starts_with("PROBLEM ")).collect();
    assert_snapshot!(redacted(&problems.join("\n")), @"
    PROBLEM panics-in-step, the step `name`: panic: the plugin panicked: panicked with canary-[id] at tests/fixtures/misbehaving/src/misbehave.rs:[line]
    PROBLEM panics-in-step, the step `name`: leak: the value of the option `secret` is in an error, which the log shows
    PROBLEM panics-in-build, building the integration: panic: the plugin panicked: built to panic at tests/fixtures/misbehaving/src/lib.rs:[line]
    PROBLEM stalls, the step `wait`: stalled: the plugin awaits something that the host does not provide: a step can only await what the host provides, like `step.send(request)`; a timer, a socket or a channel never wakes it
    PROBLEM leaky, the step `leak`: leak: the value of the option `secret` is in a line of the log
    PROBLEM leaky, the step `leak`: leak: the value of the option `secret` is in an error, which the log shows
    PROBLEM asks-too-much, the step `ask`: requests: the plugin asked for more than 20 requests in one step
    ");
    Ok(())
}

#[test]
fn a_check_finds_crashes_loops_and_answers_that_are_too_slow_or_too_large() -> Result<()> {
    let (is_good, said) = checked("hostile", &["--questions", "40"])?;
    assert!(!is_good);
    for problem in [
        "PROBLEM null-dereference, the step `provoke`: signal: the worker was ended by signal 11 (SIGSEGV)",
        "PROBLEM exits, the step `provoke`: exit: the worker has exited with code 0",
        "PROBLEM loops, the step `provoke`: deadline: no answer within 3s",
        "PROBLEM loops, the step `provoke`: slow: took 3.",
        "PROBLEM allocates-at-once, the step `provoke`: memory: the worker has used up its 512 MiB",
        "PROBLEM answers-another-call, the step `provoke`: protocol: ",
        "PROBLEM oversized-answer, the step `provoke`: oversized: ",
        "PROBLEM floods-log, the step `provoke`: oversized: the answer: found ",
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
    Ok(())
}

#[test]
fn a_check_survives_what_answers_with_junk_and_refuses_what_a_host_would() -> Result<()> {
    let (is_good, said) = checked("junk", &["--seed", "7"])?;
    assert!(!is_good);
    assert_snapshot!(redacted_with(&said, &[(r"(?m)^ +at \{.*$", "        at [question]")]), @"
    FILE: loads, in [duration]
      plugin  jackfield-fixture-junk 0.1.0, abi 1.0
      file    FILE
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      opens   with the C library only; no executable stack, text relocations, IFUNC or search path
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
    provider junk (Junk)
      step    a, run by the plugin
      hosts   none
      asked   400 questions: 400 answer; slowest [duration], largest 20 bytes
    PROBLEM junk, the step `a`: answer: the plugin's answer cannot be used: `start` is answered with something else: expected value at line 1 column 1
            at [question]
    PROBLEM junk, building the integration: answer: the plugin's answer cannot be used: `start` is answered with something else: expected value at line 1 column 1
            at [question]
    PROBLEM junk, a revocation: answer: the plugin's answer cannot be used: `start` is answered with something else: expected value at line 1 column 1
            at [question]
    PROBLEM junk, a call to its webhook: answer: the plugin's answer cannot be used: `start` is answered with something else: expected value at line 1 column 1
            at [question]
    PROBLEM junk, a refresh: answer: the plugin's answer cannot be used: `start` is answered with something else: expected value at line 1 column 1
            at [question]
    PROBLEM junk, a call to its events URL: answer: the plugin's answer cannot be used: `start` is answered with something else: expected value at line 1 column 1
            at [question]
    error: the plugin has problems
    ");
    let mut refusals = String::new();
    for name in ["no_plugin", "future_abi", "panics_in_load"] {
        let (is_good, said) = checked(name, &[])?;
        assert!(!is_good, "{name}: {said}");
        refusals.push_str(&said);
    }
    assert_snapshot!(redacted(&refusals), @"
    refused: FILE: no jackfield plugin inside: the symbol JACKFIELD_PLUGIN_MANIFEST is missing
      help: check that it is a plugin: its source ends in `export_providers!(…)`
    error: the plugin has problems
    refused: FILE: built for an incompatible abi: found 99.0, wanted 1.x
      help: get a build of the plugin for this host's abi, or a host for the plugin's
    error: the plugin has problems
    refused: FILE: listing its providers: the plugin panicked: listed to panic at tests/fixtures/panics_in_load/src/lib.rs:[line]
      help: report this to the plugin's author
    error: the plugin has problems
    ");
    let (is_good, said) = checked("panics_in_create", &["--questions", "0"])?;
    assert!(!is_good);
    assert_snapshot!(redacted(&said), @"
    FILE: loads, in [duration]
      plugin  jackfield-fixture-panics-in-create 0.1.0, abi 1.0
      file    FILE
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      opens   with the C library only; no executable stack, text relocations, IFUNC or search path
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
    provider panics-in-create (PanicsInCreate)
      failed  the plugin panicked: made to panic at tests/fixtures/panics_in_create/src/lib.rs:[line]
    PROBLEM panics-in-create, made without options: the plugin panicked: made to panic at tests/fixtures/panics_in_create/src/lib.rs:[line]
    error: the plugin has problems
    ");
    assert!(!said.contains("default"), "options are not the reason: {said}");
    Ok(())
}

#[test]
fn the_whole_catalogue_passes_the_same_check() -> Result<()> {
    let folder = bare().folder_only();
    let run = |arguments: &[&str]| -> Result<(bool, String)> {
        let output = folder.run(arguments)?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok((output.status.success(), said))
    };
    let (is_good, said) = run(&["provider", "check", "--all", "--questions", "50"])?;
    assert!(is_good && said.contains("checked 63: no problems"), "{said}");
    let github = said.split("providers.github: loads").nth(1).unwrap_or_default();
    let github = github.split("providers.gitlab").next().unwrap_or_default();
    assert_snapshot!(redacted(github), @"
    , in [duration]
      plugin  providers.github 0.1.0, abi declared
      file    [folder]/jackfield.toml
      sha256  [digest]
      limits  30 s and 64 MiB of answers for each provider, 300 s in all
    provider github (GitHub)
      options client-id, client-secret
      step    oauth2, run by the host, OAuth 2.0
      needs   client-id, client-secret
      hosts   api.github.com, github.com
      asked   50 questions: 32 fault, 12 refresh, 6 revocation; slowest [duration], largest 246 bytes
    ");
    let (is_good, said) = run(&["provider", "check", "githup"])?;
    assert!(!is_good);
    assert_snapshot!(said, @"
    error: `githup` is not in the catalogue
      help: did you mean `github`?
    ");
    Ok(())
}

#[test]
fn the_same_seed_asks_the_same_questions() -> Result<()> {
    let asked = |seed: &str| -> Result<String> {
        let (_, said) = checked("misbehaving", &["--questions", "30", "--seed", seed])?;
        // Times differ, and so does the secret that each process makes up from the seed.
        let counts = said.lines().filter_map(|line| line.trim().strip_prefix("asked ")?.split(';').next());
        Ok(counts.collect::<Vec<_>>().join("\n"))
    };
    assert_eq!(asked("7")?, asked("7")?);
    assert_ne!(asked("7")?, asked("8")?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_a_running_host_tells_how_its_plugins_are_doing() -> Result<()> {
    let toml = "[plugins.example]\nisolation = \"in-process\"\n[plugins.slack]\nhosts = [\"slack.com\"]";
    let host = bare().plugin("example").plugin("misbehaving").plugin("slack").toml(toml).start()?;
    host.user("owner@example.com", PASSWORD)?;
    host.run(&["org", "create", "acme", "--name", "Acme", "--owner", "owner@example.com"], "")?;
    let owner = log_in(&host, "owner@example.com").await?;
    owner.start_setup("acme", "panics-in-step").await?;
    owner.post("/extensions/panics-in-step/setup/", &[("name", "x")]).await?;
    owner.start_setup("acme", "two-steps").await?;
    let (_, listed) = host.output(&["plugin", "list"])?;
    assert!(redacted(&listed).contains("landlock, seccomp, seccomp-sealed, undumpable"), "{listed}");
    assert_snapshot!(redacted(&listed), @"
    example: running, in-process
      plugin  jackfield-plugin-example 0.1.0, abi 1.0
      file    plugins/libexample.so
      sha256  [digest]
      sandbox none: it has all of the host's rights
      calls   0
      restarts 0
      example (Example): configured
        hosts none
    misbehaving: running, process, pid [pid]
      plugin  jackfield-fixture-misbehaving 0.1.0, abi 1.0
      file    plugins/libmisbehaving.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      calls   3
      restarts 1
      error   the plugin panicked: panicked with  at tests/fixtures/misbehaving/src/misbehave.rs:[line]
      panics-in-step (PanicsInStep): configured
        hosts none
      panics-in-build (PanicsInBuild): configured
        hosts none
      forbidden (Forbidden): configured
        hosts none
      stalls (Stalls): configured
        hosts none
      leaky (Leaky): configured
        hosts none
      asks-too-much (AsksTooMuch): configured
        hosts none
      two-steps (TwoSteps): configured
        hosts none
      host-form (HostForm): configured
        hosts none
      redirects (Redirects): configured
        hosts none
      configurable (Configurable): not configured, missing: 
        hosts none
      reaches-out (ReachesOut): configured
        hosts none
    slack: running, process, pid [pid]
      plugin  jackfield-plugin-slack 0.1.0, abi 1.0
      file    plugins/libslack.so
      sha256  [digest]
      sandbox limits, capabilities, parent, no-new-privileges, landlock, seccomp, seccomp-sealed, undumpable, stopped-between-calls
      calls   0
      restarts 0
      slack (Slack): not configured, missing: client-id, client-secret
        hosts slack.com; granted: slack.com
    ");
    Ok(())
}

#[test]
fn a_table_for_a_plugin_that_is_not_listed_is_a_mistake_with_a_hint() -> Result<()> {
    let said = bare().plugin("example").toml("[plugins.exampel]\ndeadline = 1").log("error").start_error()?;
    assert_snapshot!(said, @r"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:10: plugins.exampel: no plugin is listed under this name
      help: did you mean [plugins.example]?
    ");
    Ok(())
}
