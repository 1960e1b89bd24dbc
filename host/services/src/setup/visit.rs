//! One request to a set-up, from the session's data to an outcome.

use std::{sync::Arc, time::Instant};

use super::{
    Ended, INTERNAL_ERROR, Pipelines, Refusal, Setup,
    check::Checked,
    orphans::Orphan,
    step::{self, Planned, handed_on, plan},
    transition::{Failed, Transition, transition},
};
use crate::session::SessionKey;
use jackfield_loader::{Form, Provider, Request};
use jackfield_store::{
    StoreError, Tx, UserId,
    audit::{Action, Actor, Entry},
    revocations,
};

/// One request to the set-up of a provider.
#[derive(Clone)]
pub struct Visit {
    /// The browser's session.
    pub session: SessionKey,
    /// Who is logged in.
    pub user: Option<UserId>,
    /// Id of the provider.
    pub provider: String,
    /// What the browser sent; the set-up's URL is filled in here.
    pub request: Request,
}

/// What comes of a visit.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A page of the current step.
    Show {
        /// The page.
        page: Page,
        /// How far the person is.
        progress: Progress,
    },
    /// The current step has a page, to be asked for at the set-up's own URL: the request's URL holds what an authorization server answered,
    /// which is to leave address bar, history and `Referer` (RFC 9700 section 4.3).
    ShowAt(String),
    /// Elsewhere, usually to the provider's pages.
    Redirect(String),
    /// The set-up has ended.
    Ended(Ended),
    /// It may not go on: to `/`.
    Refused(Refusal),
    /// No such provider is offered.
    NotFound,
}

/// A page of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// The plugin's own HTML, to be framed and kept from running anything.
    Html(String),
    /// The same, that looks again by itself until the step goes on.
    Wait(String),
    /// A form for the host to draw.
    Form(Form),
}

/// How far the person is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What people call the provider.
    pub provider: String,
    /// Slug of the organization.
    pub organization: String,
    /// Current step, from 1.
    pub step: usize,
    /// Number of steps that the plugin declares.
    pub of: usize,
    /// What a form of this page posts as [`STEP_FIELD`].
    pub mark: usize,
}

/// Field of the forms that the host draws: the step they were drawn for.
pub const STEP_FIELD: &str = "jackfield-step";

/// A form that was drawn for another step, as when somebody went back and sent it again, is not this step's answer: the current step is
/// shown instead.
fn at_step(mut request: Request, step: usize) -> Request {
    let marks = request.form.iter().filter(|(name, _)| name == STEP_FIELD);
    let is_stale = marks.clone().any(|(_, mark)| *mark != step.to_string());
    request.form.retain(|(name, _)| name != STEP_FIELD);
    if is_stale {
        request.form.clear();
        request.method = "GET".to_owned();
    }
    request
}

impl Pipelines {
    /// Runs a visit to its end, also when the browser goes away meanwhile: nothing is left half done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visit(self: Arc<Self>, visit: Visit) -> Result<Outcome, StoreError> {
        let span = tracing::Span::current();
        let run = tracing::Instrument::instrument(async move { self.take_turn(visit).await }, span);
        tokio::spawn(run).await.map_err(|error| StoreError::Lost(error.to_string()))?
    }

    async fn take_turn(&self, visit: Visit) -> Result<Outcome, StoreError> {
        let Some(provider) = self.plugins.find_configured(&visit.provider) else { return Ok(Outcome::NotFound) };
        let provider = &*provider;
        let turn = self.turns.take(&visit).await;
        if let Some(outcome) = turn.shared() {
            tracing::info!(
                provider.id = provider.id(),
                "the request before this one was the same: it shares the answer"
            );
            return Ok(outcome);
        }
        let outcome = match self.claim(&visit, provider).await? {
            Ok(checked) => self.run(&visit, provider, checked).await?,
            Err(refusal) => refused(&visit, refusal),
        };
        turn.end(&outcome);
        Ok(outcome)
    }

    async fn run(&self, visit: &Visit, provider: &Provider, mut checked: Checked) -> Result<Outcome, StoreError> {
        let mut request = at_step(visit.request.clone(), checked.setup.step);
        request.setup_url = self.setup_url(provider);
        checked.setup.name_hosts(provider.named_hosts(&request));
        request.webhook_url = self.webhook_url(provider, &checked.setup);
        let (follows, has_called_back) = self.go_on(provider, &mut checked, request.clone()).await?;
        match follows {
            // The step says the same when it is asked again: what it has bound is kept.
            Transition::Show(_) if has_called_back => {
                self.keep(visit, provider, &checked, Outcome::ShowAt(request.setup_url)).await
            }
            Transition::Show(page) => {
                let progress = progress(provider, &checked.setup, &checked.organization.slug);
                self.keep(visit, provider, &checked, Outcome::Show { page, progress }).await
            }
            Transition::Redirect(url) => self.keep(visit, provider, &checked, Outcome::Redirect(url)).await,
            Transition::Fail(why) => {
                let orphan = self.orphan(provider, &checked, None);
                self.give_up(visit, provider, &checked, orphan, why).await
            }
            Transition::Finish | Transition::Advance(_) => self.end(visit, provider, checked).await,
        }
    }

    /// Runs the current step, and those that follow at once. Answers besides whether a callback was among them that went well.
    async fn go_on(
        &self,
        provider: &Provider,
        checked: &mut Checked,
        mut request: Request,
    ) -> Result<(Transition, bool), StoreError> {
        let plan = plan(provider.steps());
        let mut has_called_back = false;
        // What the request before this one has left with the set-up is noted.
        let mut noted = self.orphan_later(provider, checked);
        loop {
            let from = plan.get(checked.setup.step);
            let follows = self.step(provider, &mut checked.setup, &request, plan.len()).await;
            if matches!(follows, Transition::Advance(_) | Transition::Finish) {
                if from.is_some_and(Planned::is_callback) {
                    (has_called_back, checked.obtained) = (true, self.orphan(provider, checked, None));
                }
                noted = self.note_orphan(provider, checked, noted).await?;
            }
            let Transition::Advance(step) = follows else { return Ok((follows, has_called_back)) };
            request = handed_on(request, plan[checked.setup.step], plan[step]);
            checked.setup.step = step;
        }
    }

    /// Ends a set-up without an integration; tokens that it has got, or had noted before, are to be revoked from now on.
    pub(super) async fn give_up(
        &self,
        visit: &Visit,
        provider: &Provider,
        checked: &Checked,
        orphan: Option<Orphan>,
        why: Failed,
    ) -> Result<Outcome, StoreError> {
        let note = noting(orphan);
        let setup = checked.setup.nonce.clone();
        let entry = in_vain(&checked.setup, &provider.plugin().digest, why.check);
        let also = move |tx: &mut Tx<'_>| {
            note(tx)?;
            revocations::hasten_setup(tx, &setup)?;
            tx.audit(&entry)
        };
        self.setups.remove_and(&visit.session, provider.id(), checked.claim, also).await?;
        self.revocations.wake();
        Ok(Outcome::Ended(failed(provider, checked, why)))
    }

    async fn step(&self, provider: &Provider, setup: &mut Setup, request: &Request, count: usize) -> Transition {
        tracing::debug!(setup.id = setup.nonce, provider.id = provider.id(), setup.step = setup.step, "a step runs");
        let (name, since) = (step::name(provider.steps(), setup.step), Instant::now());
        let result = self.run_step(provider, setup, request).await;
        let milliseconds = milliseconds(since);
        match result {
            Ok(answer) => {
                tracing::debug!(
                    setup.id = setup.nonce,
                    provider.id = provider.id(),
                    step.name = name,
                    step.answer = step::kind(&answer),
                    step.milliseconds = milliseconds,
                    "a step answered"
                );
                transition(answer, setup.step, count)
            }
            Err(error) => {
                tracing::warn!(
                    setup.id = setup.nonce,
                    provider.id = provider.id(),
                    plugin.name = provider.plugin().name,
                    plugin.reason = error.reason(),
                    setup.step = setup.step,
                    step.name = name,
                    step.milliseconds = milliseconds,
                    %error,
                    "a step failed"
                );
                Transition::Fail(Failed { message: error.public_message(), check: error.check() })
            }
        }
    }

    /// Signs the set-up anew and gives it back to the session. One that was started anew meanwhile is another's now.
    async fn keep(
        &self,
        visit: &Visit,
        provider: &Provider,
        checked: &Checked,
        outcome: Outcome,
    ) -> Result<Outcome, StoreError> {
        let signed = self.signer.sign(&checked.setup, provider);
        let also = noting(self.orphan_later(provider, checked));
        let is_kept = self.setups.release_and(&visit.session, provider.id(), checked.claim, &signed, also).await?;
        Ok(if is_kept { outcome } else { refused(visit, Refusal::StartedAnew) })
    }
}

/// What the audit log says of a set-up that ended without an integration. Not the message: a plugin may repeat in it what a service has said.
/// The set-up's id leads to the log, which has all of it.
pub(super) fn in_vain(setup: &Setup, digest: &str, check: Option<&'static str>) -> Entry {
    let deed = if setup.integration.is_some() { Action::Reinstall } else { Action::Install };
    let entry = Entry::new(deed, Actor::user(setup.user))
        .organization(setup.organization)
        .provider(&setup.provider)
        .plugin_digest(digest)
        .failed(check.unwrap_or("the set-up ended without an integration"))
        .detail("setup", setup.nonce.as_str());
    match setup.integration {
        Some(integration) => entry.integration_id(integration),
        None => entry,
    }
}

fn noting(orphan: Option<Orphan>) -> impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static {
    move |tx| orphan.map_or(Ok(()), |orphan| orphan.note(tx))
}

/// How long something has taken, to the hundredth.
pub(super) fn milliseconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 100_000.0).round() / 100.0
}

/// A visit that may not go on.
pub(super) fn refused(visit: &Visit, refusal: Refusal) -> Outcome {
    refusal.log(&visit.provider);
    Outcome::Refused(refusal)
}

/// An end without an integration.
pub(super) fn failed(provider: &Provider, checked: &Checked, why: Failed) -> Ended {
    let Checked { setup, organization, .. } = checked;
    let is_internal = why.message == INTERNAL_ERROR;
    tracing::info!(
        setup.id = setup.nonce,
        provider.id = provider.id(),
        internal = is_internal,
        setup.check = why.check,
        "a set-up ends without an integration"
    );
    Ended {
        success: false,
        data: serde_json::json!({"detail": why.message}),
        failed: why.check,
        organization: organization.slug.clone(),
        provider: provider.name().to_owned(),
        provider_id: provider.id().to_owned(),
        integration: setup.integration,
        dialog: setup.dialog,
        channel: setup.channel.clone(),
    }
}

/// Counts the steps as the plugin declares them: the two of OAuth 2.0 are one to a person.
fn progress(provider: &Provider, setup: &Setup, organization: &str) -> Progress {
    let shown = provider.steps().iter().scan(0, |planned, step| {
        *planned += plan(std::slice::from_ref(step)).len();
        Some(*planned)
    });
    Progress {
        provider: provider.name().to_owned(),
        organization: organization.to_owned(),
        step: shown.take_while(|planned| *planned <= setup.step).count() + 1,
        of: provider.steps().len(),
        mark: setup.step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_step_is_not_this_steps_answer() {
        let posted = |form: &[(&str, &str)]| {
            let mut request = Request::new("POST", "");
            request.form = form.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let request = at_step(request, 1);
            (request.method, request.form.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        assert_eq!(posted(&[("name", "a"), (STEP_FIELD, "1")]), ("POST".into(), vec!["name".into()]));
        assert_eq!(posted(&[("name", "a")]), ("POST".into(), vec!["name".into()]), "a plugin's own HTML has no mark");
        for mark in ["0", "2", ""] {
            assert_eq!(posted(&[("name", "a"), (STEP_FIELD, mark)]), ("GET".into(), vec![]), "{mark:?}");
        }
        assert_eq!(posted(&[(STEP_FIELD, "1"), (STEP_FIELD, "0")]), ("GET".into(), vec![]));
    }
}
