//! A log-in step without a claim. Where it only builds a URL and random values, it may run as often
//! as somebody asks: what counts is whose values are stored, and the setup is replaced only while
//! it is as it was read. So a double click leaves one log-in, a host that is killed leaves the
//! setup as it was, and one statement is written instead of two.
//!
//! Whatever is not as simple as that is left to a request with a claim, which begins anew.

use super::{
    active::Setup,
    plan::{Planned, plan},
    setup_outcome::Outcome,
    setup_request::{Requester, SetupRequest},
    setup_service::SetupService,
    transition::Transition,
    visit_cost::VisitCost,
};
use jackfield_loader::Provider;
use jackfield_store::StoreResult;

/// Sends the person to the authorization server. `None`: the request has to claim the setup.
pub(super) async fn log_in_unclaimed(
    service: &SetupService,
    request: &SetupRequest,
    provider: &Provider,
    cost: &VisitCost,
) -> StoreResult<Option<Outcome>> {
    if request.by != Requester::Person
        || !asks_for_nothing(request)
        || !plan(provider.steps()).iter().any(only_computes)
    {
        return Ok(None);
    }
    let key = &request.key();
    let Some(found) = service.pending.look(key).await? else { return Ok(None) };
    let Ok(mut setup) = service.check.check_unclaimed(&found, request, provider) else { return Ok(None) };
    if !is_first_log_in(provider, &setup) {
        return Ok(None);
    }
    let mut step_request = request.for_step(setup.step);
    step_request.setup_url = service.setup_url(provider);
    let server = request.server.as_deref();
    let Transition::Redirect(url) = service.steps.run(provider, &mut setup, &step_request, server, cost).await else {
        return Ok(None);
    };
    let is_stored = service.pending.swap(key, found, service.signer.sign(&setup, provider)).await?;
    Ok(is_stored.then_some(Outcome::Redirect(url)))
}

/// Whether the setup is at a log-in and no step has bound anything: it has not begun to log in, and
/// there are no tokens to be noted.
fn is_first_log_in(provider: &Provider, setup: &Setup) -> bool {
    setup.state.is_empty() && plan(provider.steps()).get(setup.step).is_some_and(only_computes)
}

/// A browser that was only sent here, with no answer and no form.
fn asks_for_nothing(SetupRequest { request, server, .. }: &SetupRequest) -> bool {
    request.method == "GET" && request.query.is_empty() && request.form.is_empty() && server.is_none()
}

/// A log-in at a server that is known, where nobody is asked anything.
fn only_computes(step: &Planned<'_>) -> bool {
    matches!(step, Planned::LogIn(server) if server.fixed.is_some_and(|oauth2| oauth2.issuer.is_none()))
}
