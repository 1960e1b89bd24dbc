//! Keeps a provider's secrets out of its plugin's messages: an author may log or panic with an
//! option's value.

use secrecy::{ExposeSecret, SecretString};

/// Replaces each known secret in a text.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Vec<SecretString>);

/// Shorter values are part of ordinary words, and no secret is that short.
const MIN_SECRET_LENGTH: usize = 4;

impl Redactor {
    pub(crate) fn new(secrets: Vec<String>) -> Self {
        Self(secrets.into_iter().filter(|secret| secret.len() >= MIN_SECRET_LENGTH).map(Into::into).collect())
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "[secret]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_of_every_secret_is_replaced() {
        let redactor = Redactor::new(vec!["hunter2".into(), "xoxb-1".into(), "no".into(), String::new()]);
        assert_eq!(redactor.redact("no hunter2, xoxb-1 or hunter2"), "no [secret], [secret] or [secret]");
    }
}
