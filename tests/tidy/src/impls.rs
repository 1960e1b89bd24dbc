//! Types whose `impl` lies in many files.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use syn::{
    ItemImpl, ItemMod, Type,
    visit::{self, Visit},
};

use crate::sources::{is_test, sources};

/// Types of a package with methods of their own in more than so many files.
///
/// # Errors
/// When a file cannot be read or is not Rust.
pub fn scattered_impls(folder: &str, most: usize) -> Result<Vec<String>> {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources(folder)?.into_iter().filter(|(path, _)| !is_test(path)) {
        let mut finder = Finder::default();
        finder.visit_file(&syn::parse_file(&text).with_context(|| path.clone())?);
        for name in finder.types {
            files.entry(name).or_default().insert(path.clone());
        }
    }
    let scattered = files.into_iter().filter(|(_, files)| files.len() > most);
    Ok(scattered.map(|(name, files)| format!("{name}: {}", files.into_iter().collect::<Vec<_>>().join(", "))).collect())
}

#[derive(Default)]
struct Finder {
    types: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let (None, Type::Path(of)) = (&item.trait_, &*item.self_ty) {
            let name = of.path.segments.last().map(|segment| segment.ident.to_string());
            self.types.extend(name);
        }
    }
}
