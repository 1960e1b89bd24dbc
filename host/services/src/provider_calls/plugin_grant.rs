//! A stored grant as plugins see it.

use jackfield_loader as plugins;
use jackfield_store::grants::Tokens;

/// A grant with its tokens, as a plugin is asked about it.
pub(crate) fn plugin_grant(name: &str, subject: &str, scopes: &[String], tokens: &Tokens) -> plugins::Grant {
    let mut grant = plugins::Grant::new(name, tokens.access_token.as_str()).subject(subject);
    grant.step.clone_from(&tokens.step);
    grant.token_type.clone_from(&tokens.token_type);
    grant.refresh_token = tokens.refresh_token.as_deref().map(Into::into);
    grant.scopes(scopes.iter().cloned())
}
