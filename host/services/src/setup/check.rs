//! Whether a set-up in a session may go on. Fails closed, each reason under its own name.

use time::OffsetDateTime;

use super::{
    FEATURE, LIFETIME, Pipelines, Refusal, Setup,
    orphans::Orphan,
    seal::{Signer, Unverified},
    visit::Visit,
};
use crate::{
    accounts::{Access, Organization, Scope},
    session::{Claim, ClaimId},
};
use jackfield_loader::Provider;
use jackfield_store::{StoreError, milliseconds};

/// A set-up that may go on.
pub(super) struct Checked {
    pub(super) setup: Setup,
    pub(super) organization: Organization,
    pub(super) claim: ClaimId,
    /// The tokens of a callback in this request: a step after it may have put them elsewhere by the time that the set-up is kept.
    pub(super) obtained: Option<Orphan>,
}

impl Pipelines {
    /// Claims the session's set-up and checks it, in the contract's order. A refused one is cleared.
    pub(super) async fn claim(
        &self,
        visit: &Visit,
        provider: &Provider,
    ) -> Result<Result<Checked, Refusal>, StoreError> {
        let (text, claim) = match self.setups.claim(&visit.session, provider.id()).await? {
            Claim::Claimed(text, claim) => (text, claim),
            Claim::Missing => return Ok(Err(Refusal::NoneUnderWay)),
            Claim::Busy => return Ok(Err(Refusal::Busy)),
        };
        let checked = match self.check(&text, visit, provider) {
            Ok(setup) => match self.check_access(setup, claim).await {
                Ok(checked) => checked,
                Err(error) => {
                    // It may be gone on with once the database answers again.
                    self.setups.release(&visit.session, provider.id(), claim, &text).await?;
                    return Err(error);
                }
            },
            Err(refusal) => Err(refusal),
        };
        if checked.is_err() {
            self.setups.remove(&visit.session, provider.id(), claim).await?;
        }
        Ok(checked)
    }

    fn check(&self, text: &str, visit: &Visit, provider: &Provider) -> Result<Setup, Refusal> {
        let unverified = Signer::read(text).ok_or(Refusal::NoneUnderWay)?;
        check_belonging(&unverified, visit)?;
        if !self.signer.is_signed(&unverified, provider) {
            let is_same = self.signer.is_for(&unverified, provider);
            return Err(if is_same { Refusal::Tampered } else { Refusal::ProviderChanged });
        }
        check_age(&unverified.setup, self.clock.now())?;
        Ok(unverified.setup)
    }

    async fn check_access(&self, setup: Setup, claim: ClaimId) -> Result<Result<Checked, Refusal>, StoreError> {
        let organization = self.access_of(&setup).await?;
        Ok(organization.map(|organization| Checked { setup, organization, claim, obtained: None }))
    }

    /// The organization, while whoever started the set-up may install there.
    pub(super) async fn access_of(&self, setup: &Setup) -> Result<Result<Organization, Refusal>, StoreError> {
        let Some(access) = self.accounts.access_to(setup.user, setup.organization).await? else {
            return Ok(Err(Refusal::NoMember));
        };
        Ok(self.may_set_up(&access).map(|()| access.organization))
    }

    /// Whether somebody may set up integrations in an organization.
    ///
    /// # Errors
    /// [`Refusal::NoRight`], or [`Refusal::FeatureOff`].
    pub fn may_set_up(&self, access: &Access) -> Result<(), Refusal> {
        match access {
            access if !access.has(Scope::OrgIntegrations) => Err(Refusal::NoRight),
            access if !self.features.is_on(FEATURE, &access.organization.slug) => Err(Refusal::FeatureOff),
            _ => Ok(()),
        }
    }
}

fn check_belonging(unverified: &Unverified, visit: &Visit) -> Result<(), Refusal> {
    if unverified.setup.provider != visit.provider {
        return Err(Refusal::OtherProvider);
    }
    match visit.user {
        None => Err(Refusal::LoggedOut),
        Some(user) if user != unverified.setup.user => Err(Refusal::OtherUser),
        Some(_) => Ok(()),
    }
}

pub(super) fn check_age(setup: &Setup, now: OffsetDateTime) -> Result<(), Refusal> {
    let age = time::Duration::milliseconds(milliseconds(now) - setup.started);
    // One that starts in the future was not made by any host's clock.
    if (-LIFETIME..=LIFETIME).contains(&age) { Ok(()) } else { Err(Refusal::Expired) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::session::SessionKey;
    use jackfield_loader::Request;

    const STARTED: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn setup(provider: &str, user: i64) -> Unverified {
        let setup = json!({
            "nonce": "n", "user": user, "organization": 2, "provider": provider, "integration": null, "step": 0,
            "state": {}, "hosts": [], "dialog": true, "channel": null, "started": milliseconds(STARTED),
        });
        Signer::read(&json!({"setup": setup, "signature": ""}).to_string()).expect("a set-up")
    }

    fn visit(provider: &str, user: Option<&str>) -> Visit {
        Visit {
            session: SessionKey::fixed([0; 32]),
            user: user.map(|id| id.parse().expect("an id")),
            provider: provider.to_owned(),
            request: Request::new("GET", ""),
        }
    }

    #[test]
    fn another_provider_or_user_is_refused_in_this_order() {
        let cases = [
            (visit("slack", Some("1")), Ok(())),
            (visit("other", Some("1")), Err(Refusal::OtherProvider)),
            (visit("slack", Some("2")), Err(Refusal::OtherUser)),
            (visit("slack", None), Err(Refusal::LoggedOut)),
            (visit("other", Some("2")), Err(Refusal::OtherProvider)),
        ];
        for (visit, judgement) in cases {
            assert_eq!(check_belonging(&setup("slack", 1), &visit), judgement, "{} {:?}", visit.provider, visit.user);
        }
    }

    #[test]
    fn a_set_up_lives_fifteen_minutes_and_none_comes_from_the_future() {
        let at = |age: Duration| check_age(&setup("slack", 1).setup, STARTED + age);
        for age in [Duration::ZERO, Duration::minutes(15), Duration::seconds(-60)] {
            assert_eq!(at(age), Ok(()), "{age}");
        }
        for age in [Duration::minutes(15) + Duration::milliseconds(1), Duration::days(1), Duration::hours(-1)] {
            assert_eq!(at(age), Err(Refusal::Expired), "{age}");
        }
    }
}
