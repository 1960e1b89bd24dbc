//! Files that refer to each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::Package;

/// Each circle of files in a package, in one line.
#[must_use]
pub fn circles(package: &Package) -> Vec<String> {
    let references = package.references();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for file in references.keys() {
        let circle: BTreeSet<&str> =
            reached(&references, file).into_iter().filter(|other| reached(&references, other).contains(file)).collect();
        if circle.contains(file) && seen.insert(circle.clone()) {
            found.push(in_words(&references, &circle));
        }
    }
    found
}

/// All files that a file leads to, itself only where something leads back.
fn reached<'a>(references: &BTreeMap<&'a str, BTreeSet<&'a str>>, file: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = references.get(file).into_iter().flatten().copied().collect();
    while let Some(other) = next.pop() {
        if found.insert(other) {
            next.extend(references.get(other).into_iter().flatten());
        }
    }
    found
}

fn in_words(references: &BTreeMap<&str, BTreeSet<&str>>, circle: &BTreeSet<&str>) -> String {
    let arrows = circle.iter().map(|file| {
        let to: Vec<&str> = references[file].intersection(circle).copied().collect();
        format!("  {file} -> {}", to.join(", "))
    });
    format!("a circle of {} files:\n{}", circle.len(), arrows.collect::<Vec<_>>().join("\n"))
}
