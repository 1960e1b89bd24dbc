//! What the host lends a plugin while it answers one question.

use futures_util::future::BoxFuture;
use jackfield_plugin_abi::envelope::Grant;

use jackfield_outbound::Outbound;

/// Fresh tokens of the integration that a question is about.
pub trait Tokens: Send + Sync {
    /// A grant by its name and subject, as [`Grant`] explains them, fresh and without its refresh token; or why there is none.
    fn token<'a>(&'a self, grant: &'a str, subject: &'a str) -> BoxFuture<'a, Result<Grant, String>>;
}

/// The network within the provider's reach, and the tokens of an integration where the question is about one.
pub(super) struct Lent<'a> {
    pub(super) outbound: &'a Outbound,
    pub(super) tokens: Option<&'a dyn Tokens>,
}

impl Lent<'_> {
    pub(super) async fn token(&self, grant: &str, subject: &str) -> Result<Grant, String> {
        match self.tokens {
            Some(tokens) => tokens.token(grant, subject).await,
            None => Err("there are no tokens before an integration is installed".to_owned()),
        }
    }
}
