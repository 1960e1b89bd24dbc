//! What the authorize page grants, and a token endpoint redeems.

use std::time::Duration;

use super::behaviour::{Install, Team};

/// The two versions of Slack's OAuth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiVersion {
    V1,
    V2,
}

/// What a code was issued for.
pub(super) struct Grant {
    pub(super) api: ApiVersion,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    pub(super) user_scope: String,
    pub(super) install: Install,
    pub(super) team: Team,
    pub(super) user_id: String,
    /// On the stand-in's clock.
    pub(super) given_at: Duration,
}
