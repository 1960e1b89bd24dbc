//! Whether there is a provider of a name at all: on a bad night people mistype it, and "nothing to
//! revoke" would be taken for done.

use std::collections::BTreeSet;

use jackfield_config::{Settings, nearest};
use jackfield_store::{StoreResult, known_providers};
use thiserror::Error;

use super::revocation_service::Revocations;

/// No provider has this id.
#[derive(Debug, Error)]
#[error(
    "there is no provider `{id}`: no plugin and no table of the configuration has it, and nothing is stored of it\n  help: {help}"
)]
pub struct UnknownProvider {
    /// What was given.
    id: String,
    /// What may have been meant.
    help: String,
}

impl Revocations {
    /// The ids of all providers that are loaded, configured, or stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_providers(&self, settings: &Settings) -> StoreResult<BTreeSet<String>> {
        let mut known = self.store.read(known_providers::all).await?;
        known.extend(settings.providers.keys().chain(settings.options.keys()).cloned());
        known.extend(self.attempts.plugins.all().iter().map(|provider| provider.id().to_owned()));
        Ok(known)
    }
}

/// Checks that a provider is among those that are known.
///
/// # Errors
/// When it is not; with what may have been meant.
pub fn check_provider(id: &str, known: &BTreeSet<String>) -> Result<(), UnknownProvider> {
    if known.contains(id) { Ok(()) } else { Err(unknown(id, known)) }
}

fn unknown(id: &str, known: &BTreeSet<String>) -> UnknownProvider {
    let list = || known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let help = match nearest(id, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "list a plugin, or declare a provider, in the configuration".to_owned(),
        None => format!("take one of {}", list()),
    };
    UnknownProvider { id: id.to_owned(), help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_provider_is_told_with_what_was_meant() {
        let known = BTreeSet::from(["github".to_owned(), "slack".to_owned()]);
        assert!(unknown("slak", &known).to_string().ends_with("did you mean `slack`?"));
        assert!(unknown("zendesk", &known).to_string().ends_with("take one of github, slack"));
    }
}
