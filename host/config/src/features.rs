//! Features, on or off for all organizations or for some.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::RwLock;
use toml::de::{DeTable, DeValue};

use super::{
    config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, sections::FEATURES, table_reader::TableReader,
};

/// Which features are on. Clones are handles on the same.
#[derive(Clone, Debug, Default)]
pub struct Features(Arc<RwLock<FeatureScopes>>);

type FeatureScopes = BTreeMap<&'static str, FeatureScope>;

/// For whom a feature is on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FeatureScope {
    /// For all organizations, or for none.
    All(bool),
    /// For the organizations with these slugs.
    Some(BTreeSet<String>),
}

impl Features {
    /// The organizations that a feature names, each with the feature: none but these have it.
    #[must_use]
    pub fn organizations(&self) -> Vec<(String, String)> {
        let scopes = self.0.read();
        let named = scopes.iter().flat_map(|(name, scope)| match scope {
            FeatureScope::All(_) => Vec::new(),
            FeatureScope::Some(slugs) => slugs.iter().map(|slug| ((*name).to_owned(), slug.clone())).collect(),
        });
        named.collect()
    }

    pub(super) fn read<'a>(collector: &'a DiagnosticCollector, root: &'a DeTable<'a>) -> Self {
        let mut section = TableReader::section(collector, "features", root);
        let mut scopes = BTreeMap::new();
        for (name, is_on) in FEATURES {
            let scope = section.take(name).and_then(|value| feature_scope(&value));
            scopes.insert(name, scope.unwrap_or(FeatureScope::All(is_on)));
        }
        section.finish();
        Self(Arc::new(RwLock::new(scopes)))
    }

    /// Replaces what all handles see by other settings.
    pub fn replace(&self, other: &Self) {
        let scopes = other.0.read().clone();
        *self.0.write() = scopes;
    }

    /// Whether a feature is on for an organization; an unknown feature never is.
    #[must_use]
    pub fn is_on(&self, name: &str, organization: &str) -> bool {
        match self.0.read().get(name) {
            Some(FeatureScope::All(is_on)) => *is_on,
            Some(FeatureScope::Some(slugs)) => slugs.contains(organization),
            None => false,
        }
    }
}

fn feature_scope(value: &ConfigValue<'_>) -> Option<FeatureScope> {
    match value.value {
        DeValue::Boolean(is_on) => Some(FeatureScope::All(*is_on)),
        DeValue::Array(_) => {
            let slugs = value.texts()?.into_iter().map(|(slug, _)| slug).collect();
            Some(FeatureScope::Some(slugs))
        }
        _ => {
            value.report_wrong_type("true, false or a list of organization slugs");
            None
        }
    }
}
