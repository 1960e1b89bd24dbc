//! What a person has allowed on the consent page.

/// What a code was issued for.
pub(super) struct Grant {
    pub(super) redirect_uri: String,
    pub(super) scope: Option<String>,
    /// RFC 7636: the hash of the code verifier.
    pub(super) challenge: Option<String>,
    pub(super) client_id: String,
    /// OpenID Connect Core 1.0 section 3.1.2.1.
    pub(super) nonce: Option<String>,
    /// The issuer, if the provider names one.
    pub(super) issuer: Option<String>,
}
