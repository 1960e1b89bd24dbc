//! What `plugin check` says of plugins that bring too much, pose as others or do harm.

use anyhow::Result;
use insta::assert_snapshot;

use super::plugin_commands::checked;
use crate::app::redacted;

/// The findings of a check with the help for them, without the questions that have shown them.
fn findings(name: &str, more: &[&str]) -> Result<String> {
    let (is_good, said) = checked(name, more)?;
    assert!(!is_good, "{said}");
    let is_finding =
        |line: &&str| ["PROBLEM ", "WARNING ", "        help: "].iter().any(|start| line.starts_with(start));
    Ok(redacted(&said.lines().filter(is_finding).collect::<Vec<_>>().join("\n")))
}

#[test]
fn a_check_says_what_a_plugin_brings_too_much_of() -> Result<()> {
    let findings = findings("too_much", &["--questions", "10"])?;
    let (names, findings): (Vec<&str>, Vec<&str>) =
        findings.lines().filter(|line| !line.starts_with(' ')).partition(|line| line.contains("its list of providers"));
    assert_eq!(names.len(), 29, "each has a name with characters that act: {names:?}");
    assert_snapshot!(findings.join("\n"), @r#"
    PROBLEM large-state, the step `s0`: limit: the state of the setup: found 143368 bytes of JSON, at most 131072 are taken
    PROBLEM many-values, the step `s0`: limit: the answer: found 20007 values, at most 20000 are taken
    PROBLEM large-html, the step `s0`: limit: the HTML of the page: found 71680 bytes, at most 65536 are taken
    PROBLEM blooming-html, the step `s0`: limit: the HTML of the page: found 3001 tags, at most 2000 are taken
    PROBLEM open-html, the step `s0`: limit: the HTML of the page: found 40 elements that are open at the same time, at most 32 are taken
    PROBLEM large-body, the step `s0`: limit: the body of the request: found [number] bytes, at most [number] are taken
    PROBLEM large-body, the step `s0`: large: answered [number] bytes
    PROBLEM large-answer, building the integration: limit: the answer besides state, HTML, icon and body: found 307276 bytes, at most 262144 are taken
    PROBLEM huge-answer, the step `s0`: oversized: the answer: found [number] bytes, at most [number] are taken
    PROBLEM long-id, building the integration: limit: the external id of the integration: found 256 characters, at most 255 are taken
    PROBLEM id-with-nul, building the integration: limit: the external id of the integration: found the character U+0000, which it cannot have
    WARNING wild-name, building the integration: name: the name of the integration has characters that act, or is too long: a host shows "Wild[2J 👩nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…"
    PROBLEM many-grants, building the integration: limit: the integration: found 33 grants, at most 32 are taken
    PROBLEM many-scopes, building the integration: limit: a grant: found 201 scopes, at most 200 are taken
    PROBLEM long-scope, building the integration: limit: a scope of a grant: found 201 characters, at most 200 are taken
    PROBLEM large-metadata, building the integration: limit: the metadata of the integration: found 66568 bytes of JSON, at most 65536 are taken
    PROBLEM long-identity, building the integration: limit: the external id of the identity: found 256 characters, at most 255 are taken
    WARNING long-fault, the step `s0`: words: found 100004 characters in an error, the log keeps 1000
    PROBLEM many-lines, the step `s0`: log: found 500 lines for one question, at most 20 are kept
    PROBLEM many-steps, one visit: steps: found 65 steps in one visit, at most 64 are run
    PROBLEM many-requests, one visit: requests: found 90 requests in one visit, at most 40 are sent
    WARNING links, the step `s0`: leads away: a link leads to elsewhere.example, which it does not declare
    WARNING fails-at-events, a call to its events URL: words: found 200000 characters in an error, the log keeps 1000
    PROBLEM binds-too-much, a call to its webhook: limit: the state of the setup: found 204808 bytes of JSON, at most 131072 are taken
    "#);
    Ok(())
}

#[test]
fn a_check_says_what_to_do_about_limits() -> Result<()> {
    let findings = findings("too_much", &["--questions", "10"])?;
    let of = |provider: &str| -> Vec<&str> {
        let found = findings.lines().skip_while(|line| !line.contains(&format!(" {provider}, ")));
        found.take(2).collect()
    };
    let all = ["large-state", "long-fault", "many-lines", "many-steps", "many-requests", "links"].map(of).concat();
    assert_snapshot!(all.join("\n"), @r#"
    PROBLEM large-state, the step `s0`: limit: the state of the setup: found 143368 bytes of JSON, at most 131072 are taken
            help: bring less: a host takes no such answer, and the setup ends
    WARNING long-fault, the step `s0`: words: found 100004 characters in an error, the log keeps 1000
            help: say in a sentence what failed
    PROBLEM many-lines, the step `s0`: log: found 500 lines for one question, at most 20 are kept
            help: log what an operator acts on; the rest is dropped
    PROBLEM many-steps, one visit: steps: found 65 steps in one visit, at most 64 are run
            help: show a page on the way, or do the work of several steps in one
    PROBLEM many-requests, one visit: requests: found 90 requests in one visit, at most 40 are sent
            help: show a page on the way, or ask for less: a host ends such a visit and its setup
    WARNING links, the step `s0`: leads away: a link leads to elsewhere.example, which it does not declare
            help: declare "elsewhere.example" among its hosts, or people are asked on the way whether to go there
    "#);
    Ok(())
}

#[test]
fn a_check_says_whose_identities_an_impostor_brings() -> Result<()> {
    assert_snapshot!(findings("impostor", &["--questions", "10"])?, @r#"
    PROBLEM impostor, building the integration: identity: found the type "example", wanted the id of one of its providers: impostor, slack
            help: take the provider's id as the type: a type belongs to the plugin that brings it first, and a host refuses it of any other, unless its operator lists it under [plugins.ENTRY] identities
    "#);
    Ok(())
}

#[test]
fn a_check_finds_what_goes_on_after_its_answer_or_floods_the_log() -> Result<()> {
    let findings = findings("hostile", &["--questions", "1"])?;
    let of = |provider: &str| -> Vec<&str> {
        let found = findings.lines().skip_while(|line| !line.contains(&format!(" {provider}, ")));
        found.take(2).collect()
    };
    let all = ["panics", "answers-before-asked", "computes-unasked", "writes-unasked", "floods-log"].map(of).concat();
    assert_snapshot!(all.join("\n"), @"
    PROBLEM panics, the step `provoke`: panic: the plugin panicked: a plain panic at tests/fixtures/hostile/src/crashes.rs:[line]
            help: return an error instead: after a panic a host starts the worker anew, and in its own process the provider is made anew
    PROBLEM answers-before-asked, the step `provoke`: unasked: it goes on after its answer, and the next question finds it so: its worker ended, or sent bytes that no call asked for, before this question
            help: do all work before the answer: a host stops a worker that nobody asks
    PROBLEM computes-unasked, the step `provoke`: unasked: it goes on after its answer, and the next question finds it so: no answer within 3s ([plugins] deadline)
            help: do all work before the answer: a host stops a worker that nobody asks
    PROBLEM writes-unasked, the step `provoke`: unasked: it goes on after its answer, and the next question finds it so: no answer within 3s ([plugins] deadline)
            help: do all work before the answer: a host stops a worker that nobody asks
    PROBLEM floods-log, the step `provoke`: oversized: the answer: found [number] bytes, at most [number] are taken
    ");
    Ok(())
}

#[test]
fn a_check_of_our_own_plugins_finds_nothing_at_all() -> Result<()> {
    for name in
        ["example", "slack", "github_app", "gitlab", "webhook", "two_providers", "two_servers", "many", "numbered"]
    {
        let (is_good, said) = checked(name, &["--questions", "60"])?;
        assert!(is_good && !said.contains("WARNING"), "{name}: {said}");
    }
    Ok(())
}
