//! Whether a setup may go on. Fails closed; each reason has its own name.

use time::OffsetDateTime;

use super::{
    active::{ActiveSetup, LIFETIME, Setup},
    pending::{PendingSetups, Unclaimed},
    permission::Permission,
    refusal::Refusal,
    setup_owner::SetupOwner,
    setup_request::{Requester, SetupRequest},
    signer::{Signer, Unverified},
};
use crate::{
    accounts::{Access, Organization},
    connect::ConnectPrincipal,
    principal::Principal,
};
use jackfield_config::clock::Clock;
use jackfield_loader::Provider;
use jackfield_store::{StoreResult, setups::Claim};

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
        if request.by != Requester::Person {
            return self.claim_for_session(request, provider).await;
        }
        let key = request.key();
        let Some((principal, claim)) = self.pending.claim_for_person(&key).await? else {
            return Ok(Err(Refusal::NoSession));
        };
        let (text, claim) = match claim {
            Claim::Claimed(text, claim) => (text, claim),
            Claim::Missing => return Ok(Err(Refusal::NoneUnderWay)),
            Claim::Busy => return Ok(Err(Refusal::Busy)),
        };
        let asks = principal.user.map(SetupOwner::User);
        let checked = match self.check(&text, asks, request, provider) {
            Ok(setup) => match self.organization(&setup, principal).await {
                Ok(organization) => organization.map(|organization| (setup, organization)),
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
        Ok(checked.map(|(setup, organization)| ActiveSetup {
            setup,
            organization,
            session: None,
            claim,
            obtained: None,
        }))
    }

    /// The same for a connect session. All that is checked of it was read with the claim.
    async fn claim_for_session(
        &self,
        request: &SetupRequest,
        provider: &Provider,
    ) -> StoreResult<Result<ActiveSetup, Refusal>> {
        let key = request.key();
        let Some((session, claim)) = self.pending.claim_for_session(&key).await? else {
            return Ok(Err(Refusal::NoSession));
        };
        let (text, claim) = match claim {
            Claim::Claimed(text, claim) => (text, claim),
            Claim::Missing => return Ok(Err(self.why_missing(&session, request))),
            Claim::Busy => return Ok(Err(Refusal::Busy)),
        };
        let asks = Some(SetupOwner::ConnectSession(session.session.id));
        let checked = self.permission.check_requester(&session, request.by, provider.id());
        let checked = checked.and_then(|organization| {
            let setup = self.check(&text, asks, request, provider)?;
            if setup.organization == organization.id { Ok((setup, organization)) } else { Err(Refusal::NoMember) }
        });
        match checked {
            Ok((setup, organization)) => {
                let session = Some(Box::new(session));
                Ok(Ok(ActiveSetup { setup, organization, session, claim, obtained: None }))
            }
            // What another browser sends ends nothing.
            Err(Refusal::OtherBrowser) => {
                self.pending.give_back(&key, claim).await?;
                Ok(Err(Refusal::OtherBrowser))
            }
            Err(refusal) => {
                self.pending.remove(&key, claim).await?;
                Ok(Err(refusal))
            }
        }
    }

    /// Why a session has no setup: it may be over.
    fn why_missing(&self, session: &ConnectPrincipal, request: &SetupRequest) -> Refusal {
        let checked = self.permission.check_requester(session, request.by, &request.provider);
        checked.err().unwrap_or(Refusal::NoneUnderWay)
    }

    /// A setup that may go on, of a request that does not claim it.
    pub(super) fn check_unclaimed(
        &self,
        found: &Unclaimed,
        request: &SetupRequest,
        provider: &Provider,
    ) -> Result<Setup, Refusal> {
        let setup = self.check(&found.text, found.principal.user.map(SetupOwner::User), request, provider)?;
        let access = access_for(&setup, &found.principal).ok_or(Refusal::NoMember)?;
        self.permission.check(access).map(|()| setup)
    }

    fn check(
        &self,
        text: &str,
        asks: Option<SetupOwner>,
        request: &SetupRequest,
        provider: &Provider,
    ) -> Result<Setup, Refusal> {
        let unverified = Signer::read(text).ok_or(Refusal::NoneUnderWay)?;
        check_request(&unverified, asks, request)?;
        if !self.signer.is_signed(&unverified, provider) {
            let is_same_provider = self.signer.is_for(&unverified, provider);
            return Err(if is_same_provider { Refusal::Tampered } else { Refusal::ProviderChanged });
        }
        check_age(&unverified.setup, self.clock.now())?;
        Ok(unverified.setup)
    }

    /// The organization of a setup, if its person may still set up integrations there. Read once
    /// more if what was read with the claim is of another organization.
    async fn organization(&self, setup: &Setup, principal: Principal) -> StoreResult<Result<Organization, Refusal>> {
        match access_for(setup, &principal) {
            Some(access) => Ok(self.permission.check(access).map(|()| access.organization.clone())),
            None => self.permission.organization_of(setup).await,
        }
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

/// What the person who asks may do in the organization of a setup, if that was read.
fn access_for<'a>(setup: &Setup, principal: &'a Principal) -> Option<&'a Access> {
    principal.access.as_ref().filter(|access| access.organization.id == setup.organization)
}

/// Whether the setup belongs to the provider of a request, and to who asks.
fn check_request(unverified: &Unverified, asks: Option<SetupOwner>, request: &SetupRequest) -> Result<(), Refusal> {
    if unverified.setup.provider != request.provider {
        return Err(Refusal::OtherProvider);
    }
    match asks {
        None => Err(Refusal::LoggedOut),
        Some(owner) if owner != unverified.setup.owner => Err(Refusal::OtherUser),
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

    fn request(provider: &str) -> SetupRequest {
        SetupRequest {
            session: SessionKey::fixed([0; 32]),
            by: Requester::Person,
            provider: provider.to_owned(),
            server: None,
            sender: Sender::Ours,
            request: Request::new("GET", ""),
        }
    }

    #[test]
    fn another_provider_or_user_is_refused_in_this_order() {
        let cases = [
            ("slack", Some("1"), Ok(())),
            ("other", Some("1"), Err(Refusal::OtherProvider)),
            ("slack", Some("2"), Err(Refusal::OtherUser)),
            ("slack", None, Err(Refusal::LoggedOut)),
            ("other", Some("2"), Err(Refusal::OtherProvider)),
        ];
        for (provider, user, expected) in cases {
            let id = user.map(|id: &str| SetupOwner::User(id.parse().expect("an id")));
            let checked = check_request(&setup("slack", 1), id, &request(provider));
            assert_eq!(checked, expected, "{provider} {user:?}");
        }
        let session = Some(SetupOwner::ConnectSession("1".parse().expect("an id")));
        assert_eq!(check_request(&setup("slack", 1), session, &request("slack")), Err(Refusal::OtherUser));
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
