//! The URLs of a host in a test, whether it is real or not.

/// The address that the host has in its configuration. The browser connects to where it listens.
pub(crate) const URL_PREFIX: &str = "http://jackfield.example";

/// Path of the setup of a provider.
pub(super) fn setup_path(provider: &str) -> String {
    format!("/extensions/{provider}/setup/")
}

/// Absolute URL of the setup of a provider.
pub(crate) fn setup_url(provider: &str) -> String {
    format!("{URL_PREFIX}{}", setup_path(provider))
}

/// Absolute URL of the webhook of a setup.
pub(crate) fn webhook_url(provider: &str) -> String {
    format!("{URL_PREFIX}/extensions/{provider}/webhook/scripted-key/")
}
