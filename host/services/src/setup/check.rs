//! Whether a setup may go on. Fails closed; each reason has its own name.

use time::OffsetDateTime;

use super::{
    active::{ActiveSetup, LIFETIME, Setup},
    pending::PendingSetups,
    permission::Permission,
    refusal::Refusal,
    setup_request::SetupRequest,
    signer::{Signer, Unverified},
};
use jackfield_config::clock::Clock;
use jackfield_loader::Provider;
use jackfield_store::{
    StoreResult,
    setups::{Claim, ClaimId},
};

/// Checks setups as they come out of the database.
#[derive(Clone)]
pub(super) struct SetupCheck {
    pub(super) pending: PendingSetups,
    pub(super) permission: Permission,
    pub(super) signer: Signer,
    pub(super) clock: Clock,
}

impl SetupCheck {
    /// Claims the session's setup and checks it, in the contract's order. A refused one is removed.
    pub(super) async fn claim(
        &self,
        request: &SetupRequest,
        provider: &Provider,
    ) -> StoreResult<Result<ActiveSetup, Refusal>> {
        let key = request.key();
        let (text, claim) = match self.pending.claim(&key).await? {
            Claim::Claimed(text, claim) => (text, claim),
            Claim::Missing => return Ok(Err(Refusal::NoneUnderWay)),
            Claim::Busy => return Ok(Err(Refusal::Busy)),
        };
        let checked = match self.check(&text, request, provider) {
            Ok(setup) => match self.check_permission(setup, claim).await {
                Ok(checked) => checked,
                Err(error) => {
                    // It may go on once the database answers again.
                    self.pending.release(&key, claim, &text).await?;
                    return Err(error);
                }
            },
            Err(refusal) => Err(refusal),
        };
        if checked.is_err() {
            self.pending.remove(&key, claim).await?;
        }
        Ok(checked)
    }

    fn check(&self, text: &str, request: &SetupRequest, provider: &Provider) -> Result<Setup, Refusal> {
        let unverified = Signer::read(text).ok_or(Refusal::NoneUnderWay)?;
        check_request(&unverified, request)?;
        if !self.signer.is_signed(&unverified, provider) {
            let is_same_provider = self.signer.is_for(&unverified, provider);
            return Err(if is_same_provider { Refusal::Tampered } else { Refusal::ProviderChanged });
        }
        check_age(&unverified.setup, self.clock.now())?;
        Ok(unverified.setup)
    }

    async fn check_permission(&self, setup: Setup, claim: ClaimId) -> StoreResult<Result<ActiveSetup, Refusal>> {
        let organization = self.permission.organization_of(&setup).await?;
        Ok(organization.map(|organization| ActiveSetup { setup, organization, claim, obtained: None }))
    }

    /// A setup that may go on, as far as can be checked without the person.
    pub(super) async fn check_without_person(
        &self,
        text: Option<String>,
        provider: &Provider,
    ) -> StoreResult<Option<Setup>> {
        let Some(unverified) = text.as_deref().and_then(Signer::read) else { return Ok(None) };
        let is_of_provider = unverified.setup.provider == provider.id() && self.signer.is_signed(&unverified, provider);
        if !is_of_provider || check_age(&unverified.setup, self.clock.now()).is_err() {
            return Ok(None);
        }
        let organization = self.permission.organization_of(&unverified.setup).await?;
        Ok(organization.is_ok().then_some(unverified.setup))
    }
}

/// Whether the setup belongs to the provider and the person of a request.
fn check_request(unverified: &Unverified, request: &SetupRequest) -> Result<(), Refusal> {
    if unverified.setup.provider != request.provider {
        return Err(Refusal::OtherProvider);
    }
    match request.user {
        None => Err(Refusal::LoggedOut),
        Some(user) if user != unverified.setup.user => Err(Refusal::OtherUser),
        Some(_) => Ok(()),
    }
}

fn check_age(setup: &Setup, now: OffsetDateTime) -> Result<(), Refusal> {
    let age = now - setup.started_at();
    // No host's clock makes one that starts in the future.
    if (-LIFETIME..=LIFETIME).contains(&age) { Ok(()) } else { Err(Refusal::Expired) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::session::SessionKey;
    use crate::setup::setup_request::Sender;
    use jackfield_loader::Request;
    use jackfield_store::milliseconds;

    const STARTED: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn setup(provider: &str, user: i64) -> Unverified {
        let setup = json!({
            "nonce": "n", "user": user, "organization": 2, "provider": provider, "integration": null, "step": 0,
            "state": {}, "hosts": [], "dialog": true, "channel": null, "started": milliseconds(STARTED),
        });
        Signer::read(&json!({"setup": setup, "signature": ""}).to_string()).expect("a setup")
    }

    fn request(provider: &str, user: Option<&str>) -> SetupRequest {
        SetupRequest {
            session: SessionKey::fixed([0; 32]),
            user: user.map(|id| id.parse().expect("an id")),
            provider: provider.to_owned(),
            server: None,
            sender: Sender::Ours,
            request: Request::new("GET", ""),
        }
    }

    #[test]
    fn another_provider_or_user_is_refused_in_this_order() {
        let cases = [
            (request("slack", Some("1")), Ok(())),
            (request("other", Some("1")), Err(Refusal::OtherProvider)),
            (request("slack", Some("2")), Err(Refusal::OtherUser)),
            (request("slack", None), Err(Refusal::LoggedOut)),
            (request("other", Some("2")), Err(Refusal::OtherProvider)),
        ];
        for (request, expected) in cases {
            let checked = check_request(&setup("slack", 1), &request);
            assert_eq!(checked, expected, "{} {:?}", request.provider, request.user);
        }
    }

    #[test]
    fn a_setup_lives_fifteen_minutes_and_none_comes_from_the_future() {
        let at = |age: Duration| check_age(&setup("slack", 1).setup, STARTED + age);
        for age in [Duration::ZERO, Duration::minutes(15), Duration::seconds(-60)] {
            assert_eq!(at(age), Ok(()), "{age}");
        }
        for age in [Duration::minutes(15) + Duration::milliseconds(1), Duration::days(1), Duration::hours(-1)] {
            assert_eq!(at(age), Err(Refusal::Expired), "{age}");
        }
    }
}
