//! What `plugin list` and `plugin check` tell.

use anyhow::Result;
use jackfield_test_support::{host::built_library, http_client::HttpClient};

use crate::app::{PASSWORD, bare};

/// What a check says of a library, and whether its exit status is good.
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
    for part in
        ["FILE: loads, in ", "abi 1.0", "provider example (Example)", "step    name, run by the plugin", "asked   400"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (is_good, said) = checked("slack", &["--questions", "20"])?;
    assert!(is_good, "{said}");
    assert!(said.contains("options client-id, client-secret") && said.contains("hosts   slack.com"), "{said}");
    Ok(())
}

#[test]
fn a_check_finds_panics_stalls_requests_without_end_and_leaked_options() -> Result<()> {
    let (is_good, said) = checked("misbehaving", &["--questions", "60"])?;
    assert!(!is_good);
    for problem in [
        "PROBLEM panics-in-step, the step `name`: panic: ",
        "PROBLEM panics-in-build, building the integration: panic: the plugin panicked: built to panic",
        "PROBLEM stalls, the step `wait`: stalled: ",
        "PROBLEM leaky, the step `leak`: leak: the value of the option `secret` is in a line of the log",
        "PROBLEM leaky, the step `leak`: leak: the value of the option `secret` is in an error, which the log shows",
        "PROBLEM asks-too-much, the step `ask`: requests: ",
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
    for innocent in ["PROBLEM two-steps", "PROBLEM host-form", "PROBLEM redirects", "PROBLEM configurable"] {
        assert!(!said.contains(innocent), "{innocent}: {said}");
    }
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
        "PROBLEM floods-log, the step `provoke`: large: answered ",
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
    Ok(())
}

#[test]
fn a_check_survives_what_answers_with_junk_and_refuses_what_a_host_would() -> Result<()> {
    let (is_good, said) = checked("junk", &[])?;
    assert!(!is_good && said.contains("PROBLEM junk, the step `a`: answer: "), "{said}");
    for (name, reason) in [
        ("no_plugin", "no jackfield plugin inside"),
        ("future_abi", "found 99.0, wanted 1.x"),
        ("panics_in_load", "panicked"),
    ] {
        let (is_good, said) = checked(name, &[])?;
        assert!(!is_good && said.contains(reason), "{name}: {said}");
    }
    let (is_good, said) = checked("panics_in_create", &["--questions", "0"])?;
    assert!(!is_good && said.contains("made without options: the plugin panicked: "), "{said}");
    assert!(!said.contains("default"), "options are not to blame: {said}");
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
    assert!(is_good && said.contains("checked 62: no problems"), "{said}");
    let github = said.split("providers.github: loads").nth(1).unwrap_or_default();
    assert!(github.contains("hosts   api.github.com, github.com") && github.contains("asked   50"), "{github}");
    let (is_good, said) = run(&["provider", "check", "githup"])?;
    assert!(!is_good && said.contains("`githup` is not in the catalogue"), "{said}");
    Ok(())
}

#[test]
fn the_same_seed_asks_the_same_questions() -> Result<()> {
    let asked = |seed: &str| -> Result<String> {
        let (_, said) = checked("misbehaving", &["--questions", "30", "--seed", seed])?;
        // All but times, and the secret that each process invents from the seed too.
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
    let owner = HttpClient::logged_in(&host.url, "owner@example.com", PASSWORD).await?;
    owner.start_setup("acme", "panics-in-step").await?;
    owner.post("/extensions/panics-in-step/setup/", &[("name", "x")]).await?;
    owner.start_setup("acme", "two-steps").await?;
    let (_, listed) = host.output(&["plugin", "list"])?;
    for part in [
        "example: running, in-process\n",
        "sandbox none: it has all of the host's rights",
        "misbehaving: running, process, pid ",
        "sandbox limits, ",
        "landlock, seccomp, undumpable, seccomp-sealed",
        "calls   3\n  restarts 1\n  error   the plugin panicked: ",
        "slack (Slack): not configured, missing: client-id, client-secret",
        "hosts slack.com; granted: slack.com",
        "sha256  ",
    ] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    Ok(())
}

#[test]
fn a_table_for_a_plugin_that_is_not_listed_is_a_mistake_with_a_hint() -> Result<()> {
    let said = bare().plugin("example").toml("[plugins.exampel]\ndeadline = 1").log("error").start_error()?;
    insta::assert_snapshot!(said, @r"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:10: plugins.exampel: no plugin is listed under this name
      help: did you mean [plugins.example]?
    ");
    Ok(())
}
