//! One setup under way, and the tokens that it has brought and that are not stored yet.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{result::Channel, setup_owner::SetupOwner};
use crate::{accounts::Organization, connect::ConnectPrincipal};
use jackfield_loader::State;
use jackfield_store::{
    IntegrationId, OrganizationId, StoreResult, Tx,
    revocations::{self, NewRevocation},
    setups::ClaimId,
};

/// Longest life of a setup.
pub(super) const LIFETIME: Duration = Duration::minutes(15);

/// Most hosts that the person of one setup can name.
pub(super) const MAX_HOSTS: usize = 8;

/// One setup under way. Every field is signed. `Debug` shows no state: it holds codes and tokens.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Tells this setup from all others; `setup.id` in the log.
    pub nonce: String,
    /// Whose it is.
    #[serde(flatten)]
    pub owner: SetupOwner,
    /// For which organization.
    pub organization: OrganizationId,
    /// Id of the provider.
    pub provider: String,
    /// The integration to re-authenticate.
    pub integration: Option<IntegrationId>,
    /// Index of the current step.
    pub step: usize,
    /// What the steps have bound.
    pub state: State,
    /// The hosts that the person has named and that the last such step has accepted, if the
    /// provider may reach such hosts.
    pub hosts: Vec<String>,
    /// The fields of the form that the person sees, in which they can write a URL.
    #[serde(default)]
    pub url_fields: Vec<String>,
    /// Whether a request without an answer was sent to the provider again.
    #[serde(default)]
    pub sent_again: bool,
    /// Whether it runs in a pop-up.
    pub dialog: bool,
    /// Where the page that opened the pop-up also listens for the answer.
    pub channel: Option<Channel>,
    /// When it started, in milliseconds since 1970 UTC.
    pub started: i64,
    /// Id of the secret key that signs it to its end, although another may be in use by then.
    #[serde(default)]
    pub key: [u8; 4],
}

impl Setup {
    /// Remembers the hosts that a step has accepted, in the place of those before. A step that
    /// accepts none leaves them as they are: it does not ask for any.
    pub(super) fn accept_hosts(&mut self, mut accepted: Vec<String>) {
        accepted.truncate(MAX_HOSTS);
        if !accepted.is_empty() {
            self.hosts = accepted;
        }
    }

    pub(super) fn started_at(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(self.started)
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Setup({} of {} at step {})", self.nonce, self.provider, self.step)
    }
}

/// A setup that this request has claimed and that may go on.
pub(super) struct ActiveSetup {
    pub(super) setup: Setup,
    pub(super) organization: Organization,
    /// Whose person has no account here.
    pub(super) session: Option<Box<ConnectPrincipal>>,
    pub(super) claim: ClaimId,
    /// The tokens of a callback in this request. A later step may have moved them in the state
    /// before the setup is saved.
    pub(super) obtained: Option<UnstoredTokens>,
}

/// Tokens of a setup that are not an integration's, and when to revoke them.
#[derive(Clone)]
pub(super) struct UnstoredTokens {
    /// The setup's nonce.
    pub(super) setup: String,
    pub(super) revocation: NewRevocation,
    pub(super) revoke_at: OffsetDateTime,
}

impl UnstoredTokens {
    /// Whether these are the same tokens.
    pub(super) fn are_same(&self, other: &Self) -> bool {
        self.revocation.payload.grants == other.revocation.payload.grants
    }

    /// Records them, together with what the setup has recorded before.
    pub(super) fn record(&self, tx: &mut Tx<'_>) -> StoreResult<()> {
        revocations::note_setup(tx, &self.setup, &self.revocation, self.revoke_at).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hosts_that_were_accepted_last_are_kept() {
        let setup = json!({
            "nonce": "n", "user": 1, "organization": 2, "provider": "acme", "integration": null, "step": 0,
            "state": {}, "hosts": ["a", "b"], "dialog": true, "channel": null, "started": 5,
        });
        let mut setup: Setup = serde_json::from_value(setup).expect("a setup");
        setup.accept_hosts(Vec::new());
        assert_eq!(setup.hosts, ["a", "b"]);
        setup.accept_hosts(vec!["c".into()]);
        assert_eq!(setup.hosts, ["c"], "a wrong address that was corrected is gone");
        setup.accept_hosts((0..=MAX_HOSTS).map(|number| number.to_string()).collect());
        assert_eq!((setup.hosts.len(), setup.hosts[0].as_str()), (MAX_HOSTS, "0"));
    }
}
