//! Holds the papers to the code: what they name exists, what exists is in them, and they are as
//! short as they promise.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use jackfield_tidy::{root, sources};

/// What may stand at the top besides folders whose names begin with a dot.
const FOLDERS: [&str; 8] = ["config", "host", "packages", "plugin-api", "plugins", "tests", "target", "data"];
const FILES: [&str; 10] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "RELEASING.md",
    "SECURITY.md",
    "rust-toolchain.toml",
];

/// The papers that people read in the repository.
const PAPERS: [&str; 19] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "RELEASING.md",
    "SECURITY.md",
    "config/README.md",
    "host/API.md",
    "host/CHANGELOG.md",
    "host/EMBEDDING.md",
    "host/loader/README.md",
    "plugin-api/CHANGELOG.md",
    "plugin-api/DESIGN.md",
    "plugin-api/GUIDE.md",
    "plugin-api/README.md",
    "plugin-api/abi/CHANGELOG.md",
    "plugin-api/abi/README.md",
    "plugin-api/test-support/CHANGELOG.md",
    "plugin-api/test-support/README.md",
    "tests/released/README.md",
];

fn paper(name: &str) -> Result<String> {
    fs::read_to_string(root().join(name)).with_context(|| name.to_owned())
}

#[test]
fn there_is_nothing_else_at_the_top() -> Result<()> {
    for entry in fs::read_dir(root())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            assert!(
                FOLDERS.contains(&name.as_str()),
                "{name}: tool files go into dot-folders, everything else has its place"
            );
        } else if !name.starts_with('.') {
            assert!(FILES.contains(&name.as_str()), "{name}: a paper stands beside what it is about");
        }
    }
    Ok(())
}

/// What stands between these two, each time.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    text.split(begin).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0)).collect()
}

/// The file of the host that is called so and has this text.
fn source_with<'a>(sources: &'a [(String, String)], ending: &str, text: &str) -> Result<&'a str> {
    let found = sources.iter().find(|(file, code)| file.ends_with(ending) && code.contains(text));
    Ok(&found.with_context(|| format!("no {ending} has `{text}`"))?.1)
}

#[test]
fn the_reference_of_the_api_has_every_url_action_scope_and_code() -> Result<()> {
    let reference = paper("host/API.md")?;
    let sources = sources("host")?;
    let routes = source_with(&sources, "web/routes.rs", "\"/api/0/organizations/{org}")?;
    let urls = between(routes, "\"/api/0/organizations/{org}", "\"");
    assert!(urls.len() >= 7, "{urls:?}");
    let mut wrong: Vec<String> = Vec::new();
    for url in urls {
        // In the table at the top, and with its own section.
        let url = url.replace("{*path}", "{path}");
        let is_there = |above: &str| reference.contains(&format!(" {above}{url}"));
        if !is_there("/api/0/organizations/{org}") || !is_there("") {
            wrong.push(url);
        }
    }
    let problems = source_with(&sources, "error/problem.rs", "\nproblems! {")?;
    let problems = between(problems, "\nproblems! {", "\n}").concat();
    // `Name: 404 "code", "title",`
    let has_status = |line: &&str| line.split_once(": ").is_some_and(|(_, rest)| rest.starts_with(char::is_numeric));
    let codes = problems.lines().filter(has_status).filter_map(|line| line.split('"').nth(1));
    // Only pages have this one.
    let codes: Vec<&str> = codes.filter(|code| *code != "too-many-setups").collect();
    assert!(codes.len() >= 24, "{codes:?}");
    let actions = source_with(&sources, "audit/entry.rs", "Action {")?;
    let actions = between(actions, "Action {", "\n);").first().copied().unwrap_or_default().to_owned();
    let scopes = source_with(&sources, "accounts/role.rs", "const SCOPES")?;
    let scopes = between(scopes, "const SCOPES", "];").concat();
    let texts = [actions, scopes];
    let words = texts.iter().flat_map(|text| text.split('"').skip(1).step_by(2));
    let words: Vec<&str> = words.chain(codes).collect();
    assert!(words.len() >= 40, "{words:?}");
    wrong.extend(words.iter().filter(|word| !reference.contains(&format!("`{word}`"))).map(ToString::to_string));
    assert!(wrong.is_empty(), "host/API.md leaves out {wrong:?}");
    Ok(())
}

#[test]
fn the_readme_is_short() -> Result<()> {
    let readme = paper("README.md")?;
    let widest = readme.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    assert!(
        readme.lines().count() <= 200,
        "200 lines: the rest stands in config/README.md and beside what it is about"
    );
    assert!(widest <= 140, "the README has a line of {widest} columns");
    Ok(())
}

#[test]
fn the_commands_of_the_papers_exist() -> Result<()> {
    let readme = paper("README.md")?;
    for command in ["cargo demo", "cargo test"] {
        assert!(readme.contains(command), "the README names `{command}`");
    }
    assert!(fs::read_to_string(root().join(".cargo/config.toml"))?.contains("\ndemo = "), "cargo knows `demo`");
    let papers = readme + &paper("config/README.md")?;
    let table = papers.lines().filter_map(|line| line.strip_prefix("| `"));
    let named = table.filter_map(|line| line.split_once("` |")).flat_map(|(cell, _)| cell.split("`, `"));
    // The first cell of other tables is a role or a word, and no command.
    let named = named.filter(|cell| !["member", "admin", "manager", "owner"].contains(cell));
    let run = papers.lines().filter_map(|line| line.split("./jackfield ").nth(1));
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace()
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()))
            .map(str::to_owned)
            .collect()
    };
    let commands: BTreeSet<Vec<String>> = named.chain(run).map(words).filter(|command| !command.is_empty()).collect();
    assert!(commands.len() >= 25, "config/README.md lists the commands: {commands:?}");
    for command in commands {
        // The address of a user follows `user create`, and so on: what is a word of the command
        // itself stands first.
        let command = &command[..command.len().min(2)];
        let help = Command::new(env!("CARGO_BIN_EXE_jackfield-host")).args(command).arg("--help").output()?;
        let usage = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(usage.contains(&format!("jackfield-host {}", command.join(" "))), "`jackfield {}`", command.join(" "));
    }
    Ok(())
}

/// What a link may name of a page: its headings, as GitHub writes them.
fn sections(page: &str) -> Vec<String> {
    let slug = |heading: &str| -> String {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let headings = page.lines().filter_map(|line| line.strip_prefix('#'));
    headings.map(|heading| slug(heading.trim_start_matches('#'))).collect()
}

/// A path without its `..`, so that one that leads out of the repository is seen.
fn plain(path: &Path) -> PathBuf {
    let mut kept = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    kept
}

/// `{a,b}` of a path, each for itself.
fn expanded(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match parts {
        Some((before, (inner, after))) => inner.split(',').map(|one| format!("{before}{one}{after}")).collect(),
        None => vec![path.to_owned()],
    }
}

/// The paths in code spans, which are from the root; names in capitals are placeholders. The guide
/// for authors also names a file of their crate.
fn paths_in_code(page: &str) -> impl Iterator<Item = &str> {
    let spans = page.split('`').skip(1).step_by(2);
    spans.filter(|span| {
        let is_ours = ["host/", "plugin-api/", "plugins/", "tests/", "config/", ".ci/", ".config/"]
            .iter()
            .any(|top| span.starts_with(top));
        is_ours && !span.contains([' ', '\n', '…', '<']) && !span.contains("NAME") && *span != "tests/setup.rs"
    })
}

#[test]
fn the_paths_and_links_of_the_papers_exist() -> Result<()> {
    let mut wrong = Vec::new();
    for name in PAPERS {
        let page = paper(name)?;
        let in_code = paths_in_code(&page).flat_map(expanded);
        wrong.extend(in_code.filter(|path| !root().join(path).exists()).map(|path| format!("{name}: {path}")));
        let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.contains("::")) {
            let (path, section) = link.split_once('#').unwrap_or((link, ""));
            let here = root().join(name);
            let target = if path.is_empty() { here } else { plain(&here.with_file_name("").join(path)) };
            let is_there = target.starts_with(root()) && target.exists();
            let has_section =
                || fs::read_to_string(&target).is_ok_and(|page| sections(&page).iter().any(|s| s == section));
            if !is_there || !section.is_empty() && !has_section() {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "the papers name what is not there: {wrong:#?}");
    Ok(())
}

#[test]
fn the_files_of_the_journeys_exist() -> Result<()> {
    let page = paper("ARCHITECTURE.md")?;
    let journeys = between(&page, "\n## Five journeys\n", "\n## ").concat();
    let sources = sources("host")?;
    let named: Vec<&str> = journeys.split('`').skip(1).step_by(2).filter(|span| span.ends_with(".rs")).collect();
    assert!(named.len() >= 30, "{named:?}");
    let exists = |name: &str| sources.iter().any(|(file, _)| file.ends_with(&format!("/{name}")));
    let wrong: Vec<_> = named.into_iter().filter(|name| !exists(name)).collect();
    assert!(wrong.is_empty(), "ARCHITECTURE.md names what is not there: {wrong:?}");
    Ok(())
}

/// Words that were ours and nobody else's, or a second spelling of one that is the field's.
const OUR_WORDS: [&str; 7] = ["set-up", "set-ups", "whoever", "mend", "mends", "mended", "deed"];

#[test]
fn the_papers_speak_plain_english() -> Result<()> {
    let mut wrong = Vec::new();
    for name in PAPERS.iter().copied().chain(["config/jackfield.toml"]) {
        let page = paper(name)?.to_lowercase();
        let of_page = page.split(|c: char| !c.is_alphanumeric() && c != '-');
        wrong.extend(of_page.filter(|word| OUR_WORDS.contains(word)).map(|word| format!("{name}: {word}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
