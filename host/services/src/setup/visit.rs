//! One request to a setup, from the claim to an outcome.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    active::{ActiveSetup, Setup, UnstoredTokens},
    finish::foreign_answer,
    plan::{Planned, forward, plan, progress},
    refusal::Refusal,
    setup_outcome::{Outcome, Page},
    setup_request::{Sender, SetupKey, SetupRequest},
    setup_service::SetupService,
    transition::Transition,
    unclaimed::log_in_unclaimed,
    unstored_tokens::{tokens_so_far, unstored_tokens},
    visit_cost::VisitCost,
};
use crate::{connect::ConnectPrincipal, detached::run_detached};
use jackfield_loader::{Provider, Request};
use jackfield_oauth2::{self as oauth2, CallbackError};
use jackfield_store::{StoreError, StoreResult, Tx};

impl SetupService {
    /// Runs a request to its end, also if the browser goes away, or if the database is lost on the
    /// way: nothing is left half done, and the same request finds the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visit(&self, request: SetupRequest) -> Result<Outcome, StoreError> {
        let (service, is_refused) = (self.clone(), Arc::<AtomicBool>::default());
        let refused = is_refused.clone();
        let visit = run_detached(async move { service.visit_in_turn(request, &refused).await });
        tokio::select! {
            outcome = visit => outcome,
            error = self.store.lasting_failure() => {
                is_refused.store(true, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    async fn visit_in_turn(&self, request: SetupRequest, is_refused: &AtomicBool) -> StoreResult<Outcome> {
        let Some(provider) = self.plugins.find_configured(&request.provider) else { return Ok(Outcome::NotFound) };
        let cost = VisitCost::begin();
        let provider = &cost.bound(&provider);
        let queued = self.queue.enter(&request).await;
        if let Some(outcome) = queued.shared_outcome() {
            tracing::info!(
                provider.id = provider.id(),
                "the request before this one was the same: it shares the answer"
            );
            return Ok(outcome);
        }
        let outcome = match log_in_unclaimed(self, &request, provider, &cost).await? {
            Some(outcome) => outcome,
            None => self.run_claimed(&request, provider, &cost, is_refused).await?,
        };
        // A later setup begins with the same requests, but for the random state.
        if is_refused.load(Ordering::SeqCst) && request.request.query("state").is_some() {
            queued.keep_for_a_while();
        }
        queued.finish(&outcome);
        Ok(outcome)
    }

    /// Claims the setup and runs its step. Somebody who was told meanwhile that the database fails
    /// sends the same request again, so the step is left to that one.
    async fn run_claimed(
        &self,
        request: &SetupRequest,
        provider: &Provider,
        cost: &VisitCost,
        is_refused: &AtomicBool,
    ) -> StoreResult<Outcome> {
        match self.check.claim(request, provider).await? {
            Ok(active) if is_refused.load(Ordering::SeqCst) => {
                self.pending.give_back(&request.key(), active.claim).await?;
                Err(StoreError::Lost("the request was answered before its setup could be claimed".to_owned()))
            }
            Ok(active) => self.run(request, provider, active, cost).await,
            Err(refusal) => Ok(Outcome::refused(provider.id(), refusal)),
        }
    }

    async fn run(
        &self,
        request: &SetupRequest,
        provider: &Provider,
        mut active: ActiveSetup,
        cost: &VisitCost,
    ) -> StoreResult<Outcome> {
        let key = &request.key();
        let mut step_request = request.for_step(active.setup.step);
        let foreign = foreign_to(provider, &active.setup, &step_request);
        if let Some(error) = foreign.clone().filter(|error| *error != CallbackError::NoAnswer) {
            let outcome = Outcome::Foreign(foreign_answer(provider, &active, error));
            return self.save(key, provider, &active, outcome).await;
        }
        // A form of the step before may be sent again, and leads to the log-in again.
        let came_back = foreign.filter(|_| request.request.method == "GET").map(|error| (error, active.setup.clone()));
        let (step_before, sent_again) = (active.setup.step, active.setup.sent_again);
        step_request.setup_url = self.setup_url(provider);
        step_request.webhook_url = self.webhook_url(provider, &active.setup);
        let setup_url = step_request.setup_url.clone();
        let (transition, has_called_back) =
            self.run_steps(provider, &mut active, step_request, request.server.as_deref(), cost).await?;
        active.setup.sent_again = sent_again && active.setup.step == step_before;
        if let (Transition::Redirect(_), Some((error, before))) = (&transition, came_back)
            && may_go_in_circles(request.sender, &mut active.setup)
        {
            active.setup = before;
            let outcome = Outcome::Foreign(foreign_answer(provider, &active, error));
            return self.save(key, provider, &active, outcome).await;
        }
        match transition {
            // What the step has bound is saved, so it shows the same page when it runs again.
            Transition::Show(_) if has_called_back => {
                self.save(key, provider, &active, Outcome::RedirectToPage(setup_url)).await
            }
            Transition::Show(page) => {
                let progress = progress(provider, &active.setup, &active.organization.slug);
                let page = filled_in(page, active.session.as_deref());
                self.save(key, provider, &active, Outcome::Show { page, progress }).await
            }
            Transition::Redirect(url) => self.save(key, provider, &active, Outcome::Redirect(url)).await,
            Transition::Leave(url) => {
                let (organization, connect) = (active.organization.slug.clone(), active.setup.owner.connect_session());
                self.save(key, provider, &active, Outcome::Leave { url, organization, connect }).await
            }
            Transition::Fail(failure) => self.finisher.fail(key, provider, &active, failure).await,
            Transition::Finish | Transition::Advance(_) => self.finisher.finish(key, provider, active).await,
        }
    }

    /// Runs the current step, and those that follow at once. Returns also whether a callback among
    /// them went well.
    async fn run_steps(
        &self,
        provider: &Provider,
        active: &mut ActiveSetup,
        mut request: Request,
        came_to: Option<&str>,
        cost: &VisitCost,
    ) -> StoreResult<(Transition, bool)> {
        let plan = plan(provider.steps());
        let mut has_called_back = false;
        // The request before this one has recorded what it left in the setup.
        let mut recorded = tokens_so_far(provider, active, self.clock.now());
        loop {
            let from = plan.get(active.setup.step);
            let transition = self.steps.run(provider, &mut active.setup, &request, came_to, cost).await;
            if matches!(transition, Transition::Advance(_) | Transition::Finish) {
                if from.is_some_and(Planned::is_callback) {
                    has_called_back = true;
                    active.obtained = unstored_tokens(provider, active, None, self.clock.now());
                }
                recorded = self.record_tokens(provider, active, recorded).await?;
            }
            let Transition::Advance(step) = transition else { return Ok((transition, has_called_back)) };
            request = forward(request, plan[active.setup.step], plan[step]);
            active.setup.step = step;
        }
    }

    /// Records the tokens that a step has brought, unless they are the same as before.
    async fn record_tokens(
        &self,
        provider: &Provider,
        active: &ActiveSetup,
        recorded: Option<UnstoredTokens>,
    ) -> StoreResult<Option<UnstoredTokens>> {
        let Some(tokens) = tokens_so_far(provider, active, self.clock.now()) else { return Ok(recorded) };
        if recorded.as_ref().is_some_and(|recorded| recorded.are_same(&tokens)) {
            return Ok(recorded);
        }
        self.pending.record_tokens(tokens.clone()).await?;
        Ok(Some(tokens))
    }

    /// Signs the setup and gives it back to the session, unless it was started anew meanwhile.
    async fn save(
        &self,
        key: &SetupKey,
        provider: &Provider,
        active: &ActiveSetup,
        outcome: Outcome,
    ) -> StoreResult<Outcome> {
        let signed = self.signer.sign(&active.setup, provider);
        let tokens = tokens_so_far(provider, active, self.clock.now());
        let also = move |tx: &mut Tx<'_>| tokens.map_or(Ok(()), |tokens| tokens.record(tx));
        let is_ours = self.pending.release_and(key, active.claim, &signed, also).await?;
        Ok(if is_ours { outcome } else { Outcome::refused(provider.id(), Refusal::StartedAnew) })
    }
}

/// A form with the fields that a connect session fills in beforehand. What the person has typed
/// stays.
fn filled_in(page: Page, session: Option<&ConnectPrincipal>) -> Page {
    let (Page::Form(mut form), Some(session)) = (page.clone(), session) else { return page };
    for field in &form.fields {
        if let Some(value) = session.option(&field.name)
            && !form.values.contains_key(&field.name)
        {
            form.values.insert(field.name.clone(), value);
        }
    }
    Page::Form(form)
}

/// Whether the person would go round in circles if they were sent to the provider again. Somebody
/// who goes back or loads the page again is sent there as ever. Where nobody knows who has sent
/// them, that happens once.
fn may_go_in_circles(sender: Sender, setup: &mut Setup) -> bool {
    match sender {
        Sender::Ours => false,
        Sender::Elsewhere => true,
        Sender::Unknown => std::mem::replace(&mut setup.sent_again, true),
    }
}

/// Why a request answers nothing that this setup has asked, if it does not. Any site can send the
/// browser here with one, so the setup goes on.
fn foreign_to(provider: &Provider, setup: &Setup, request: &Request) -> Option<CallbackError> {
    let waits = matches!(plan(provider.steps()).get(setup.step), Some(Planned::LogIn(_) | Planned::Callback(_)));
    oauth2::foreign_answer(request, &setup.state).filter(|_| waits)
}
