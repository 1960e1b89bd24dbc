//! Whether there is a provider of a name at all: on a bad night people mistype it, and "nothing to
//! revoke" would be taken for done.

use std::collections::BTreeSet;

use jackfield_config::{Settings, nearest};
use jackfield_store::{StoreError, known_providers};
use thiserror::Error;

use super::revocation_service::Revocations;

/// Why a provider's tokens are not looked for.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// No provider has this id.
    #[error("there is no provider `{id}`: neither a plugin or the configuration has it, nor is anything stored of it\n  help: {help}")]
    Unknown {
        /// What was given.
        id: String,
        /// What may have been meant.
        help: String,
    },
    /// The database fails.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
}

impl Revocations {
    /// Checks that a provider is known: loaded, configured, or stored.
    ///
    /// # Errors
    /// When it is not; with what may have been meant.
    pub async fn check_provider(&self, settings: &Settings, id: &str) -> Result<(), ProviderError> {
        let mut known = self.store.read(known_providers::all).await?;
        known.extend(settings.providers.keys().chain(settings.options.keys()).cloned());
        known.extend(self.attempts.plugins.all().iter().map(|provider| provider.id().to_owned()));
        if known.contains(id) { Ok(()) } else { Err(unknown(id, &known)) }
    }
}

fn unknown(id: &str, known: &BTreeSet<String>) -> ProviderError {
    let list = || known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let help = match nearest(id, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "list a plugin, or declare a provider, in the configuration".to_owned(),
        None => format!("take one of {}", list()),
    };
    ProviderError::Unknown { id: id.to_owned(), help }
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
