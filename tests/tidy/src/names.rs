//! Words: names of modules, names that have a better one, the width of comments.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};

use crate::sources::{is_test, ours, sources};

/// Modules of one package that have the same name.
///
/// # Errors
/// When a file cannot be read.
pub fn module_names_twice(folder: &str) -> Result<Vec<String>> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, _) in sources(folder)?.into_iter().filter(|(path, _)| !is_test(path)) {
        let mut parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
        if parts.last().is_some_and(|last| matches!(*last, "mod" | "lib" | "main")) {
            parts.pop();
        }
        if let Some(name) = parts.last().filter(|name| **name != "src") {
            places.entry((*name).to_owned()).or_default().push(path.clone());
        }
    }
    let twice = places.into_iter().filter(|(_, places)| places.len() > 1);
    Ok(twice.map(|(name, places)| format!("`{name}` is the name of {}", places.join(" and "))).collect())
}

/// Comment lines that are wider than so many columns: rustfmt cannot wrap them.
///
/// # Errors
/// When a file cannot be read.
pub fn wide_comments(most: usize) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (file, text) in ours()? {
        for (number, line) in text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            // A URL cannot be broken.
            if is_comment && line.chars().count() > most && !line.contains("://") {
                wrong.push(format!("{file}:{}: {} columns", number + 1, line.chars().count()));
            }
        }
    }
    Ok(wrong)
}

/// Every identifier of our code, each with a file that has it.
///
/// # Errors
/// When a file cannot be read or is not Rust.
pub fn names() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in ours()? {
        let tokens: TokenStream = text.parse().ok().with_context(|| file.clone())?;
        collect(tokens, &mut |name| {
            found.entry(name).or_default().insert(file.clone());
        });
    }
    Ok(found)
}

fn collect(tokens: TokenStream, add: &mut impl FnMut(String)) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) => add(name.to_string()),
            TokenTree::Group(group) => collect(group.stream(), add),
            _ => {}
        }
    }
}
