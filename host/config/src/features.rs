//! Features, on or off for all organizations or for some.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use toml::de::{DeTable, DeValue};

use super::{
    document::{Node, Section},
    value,
};

/// The features there are, and whether each is on when the file does not say.
const KNOWN: [(&str, bool); 1] = [("organizations:integrations-v3", true)];

/// Which features are on. Clones are handles on the same.
#[derive(Clone, Debug, Default)]
pub struct Features(Arc<RwLock<Reaches>>);

type Reaches = BTreeMap<&'static str, Reach>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reach {
    All(bool),
    Some(BTreeSet<String>),
}

impl Features {
    pub(super) fn read<'a>(notes: &'a super::document::Notes, root: &'a DeTable<'a>) -> Self {
        let mut section = Section::new(notes, "features", root);
        let mut features = BTreeMap::new();
        for (name, is_on) in KNOWN {
            let reach = section.take(name).and_then(|node| reach(&node));
            features.insert(name, reach.unwrap_or(Reach::All(is_on)));
        }
        section.finish();
        Self(Arc::new(RwLock::new(features)))
    }

    /// Takes over what other settings say, for every handle.
    pub fn replace(&self, other: &Self) {
        let reaches = other.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = reaches;
    }

    /// Whether a feature is on for an organization; an unknown feature never is.
    #[must_use]
    pub fn is_on(&self, name: &str, organization: &str) -> bool {
        match self.0.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            Some(Reach::All(is_on)) => *is_on,
            Some(Reach::Some(slugs)) => slugs.contains(organization),
            None => false,
        }
    }
}

fn reach(node: &Node<'_>) -> Option<Reach> {
    match node.value {
        DeValue::Boolean(is_on) => Some(Reach::All(*is_on)),
        DeValue::Array(_) => {
            let slugs = value::texts(node)?.into_iter().map(|(slug, _)| slug).collect();
            Some(Reach::Some(slugs))
        }
        _ => {
            node.wrong_type("true, false or a list of organization slugs");
            None
        }
    }
}
