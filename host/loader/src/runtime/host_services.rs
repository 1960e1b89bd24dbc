//! What the host does for a plugin while it answers one question: send requests, and hand out
//! tokens.

use futures_util::future::BoxFuture;
use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::Grant;

/// Valid access tokens of the integration that a question is about.
pub trait Tokens: Send + Sync {
    /// A grant by its name and subject, as [`Grant`] explains them: valid, and without its refresh
    /// token. The error says why there is none.
    fn token<'a>(&'a self, grant: &'a str, subject: &'a str) -> BoxFuture<'a, Result<Grant, String>>;
}

/// The host's side of one question.
pub(crate) struct HostServices<'a> {
    /// Reaches the provider's hosts and no others.
    pub(crate) outbound: &'a Outbound,
    /// `None` before an integration is installed.
    pub(crate) tokens: Option<&'a dyn Tokens>,
}

impl HostServices<'_> {
    pub(crate) async fn token(&self, grant: &str, subject: &str) -> Result<Grant, String> {
        match self.tokens {
            Some(tokens) => tokens.token(grant, subject).await,
            None => Err("there are no tokens before an integration is installed".to_owned()),
        }
    }
}
