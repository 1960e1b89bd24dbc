//! What the authorization endpoint grants, and the token endpoint redeems.

/// What a code was issued for.
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
}
