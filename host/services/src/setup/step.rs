//! Runs one step: the plugin's own, or one of the host's.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{
    active::Setup,
    plan::{Planned, Server, plan},
    setup_outcome::{Failure, INTERNAL_ERROR},
    transition::{Transition, transition},
};
use jackfield_config::clock::Clock;
use jackfield_loader::{Answer, Destination, OAuth2, OverBudget, PluginError, Provider, Request, RequestBudget};
use jackfield_oauth2::{self as oauth2, Issuers, LoginOutcome, OAuth2Error, Scopes};

/// Most steps that run in one visit: those that answer `next` run at once.
const MAX_STEPS: usize = 64;
/// Most requests that one visit sends, and longest time that it takes.
const MAX_VISIT_REQUESTS: usize = 40;
const MAX_VISIT_TIME: Duration = Duration::from_secs(120);

/// What one visit has cost so far. It runs to its end also if the browser has gone, so it is bounded.
pub(super) struct VisitCost {
    steps: AtomicUsize,
    requests: RequestBudget,
}

impl VisitCost {
    /// Of a visit that begins now.
    pub(super) fn begin() -> Self {
        Self { steps: AtomicUsize::new(0), requests: RequestBudget::new(MAX_VISIT_REQUESTS, MAX_VISIT_TIME) }
    }

    /// The provider as this visit asks it.
    pub(super) fn bound(&self, provider: &Provider) -> Provider {
        provider.within(self.requests.clone())
    }

    /// Counts one more step.
    fn check(&self) -> Result<(), StepError> {
        self.requests.time_left()?;
        let run = self.steps.fetch_add(1, Ordering::Relaxed);
        if run < MAX_STEPS { Ok(()) } else { Err(StepError::TooManySteps) }
    }
}

/// Why a step failed. For the log.
#[derive(Debug, Error)]
enum StepError {
    #[error(transparent)]
    Plugin(#[from] PluginError),
    #[error(transparent)]
    OAuth2(#[from] OAuth2Error),
    #[error("the step's redirect is not an absolute http or https URL")]
    Redirect,
    #[error("the step leads to {0}, which the operator does not grant the plugin ([plugins.NAME] hosts)")]
    NotGranted(String),
    #[error("the plugin goes on for ever: found {} steps in one visit, at most {MAX_STEPS} are run", MAX_STEPS + 1)]
    TooManySteps,
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    #[error("the setup is beyond the last step")]
    NoStep,
}

impl StepError {
    /// What went wrong in one word, for the log.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Plugin(error) => error.reason(),
            Self::OAuth2(_) => "oauth2",
            Self::TooManySteps => "steps",
            Self::OverBudget(_) => "requests",
            Self::NotGranted(_) => "hosts",
            Self::Redirect | Self::NoStep => "answer",
        }
    }

    fn failure(&self) -> Failure {
        let message = match self {
            Self::OAuth2(error) => error.public_message(),
            _ => None,
        };
        Failure { message: message.unwrap_or_else(|| INTERNAL_ERROR.to_owned()), check: self.check() }
    }

    /// What failed, as a word that the person can quote.
    const fn check(&self) -> Option<&'static str> {
        match self {
            Self::OAuth2(error) => Some(error.check()),
            Self::Plugin(_) | Self::Redirect | Self::NotGranted(_) | Self::TooManySteps | Self::OverBudget(_) => {
                Some("plugin")
            }
            Self::NoStep => None,
        }
    }
}

/// Runs the steps of setups.
#[derive(Clone)]
pub(super) struct StepRunner {
    pub(super) issuers: Issuers,
    pub(super) clock: Clock,
}

impl StepRunner {
    /// Runs the current step, binds what it has bound, logs it, and answers what follows.
    pub(super) async fn run(
        &self,
        provider: &Provider,
        setup: &mut Setup,
        request: &Request,
        cost: &VisitCost,
    ) -> Transition {
        tracing::debug!(setup.id = setup.nonce, provider.id = provider.id(), setup.step = setup.step, "a step runs");
        let plan = plan(provider.steps());
        let step = plan.get(setup.step);
        let name = step.map_or("", Planned::name);
        let started = Instant::now();
        let result = match cost.check() {
            Ok(()) => self.answer(provider, step.copied(), setup, request).await,
            Err(error) => Err(error),
        };
        let milliseconds = elapsed_milliseconds(started);
        match result {
            Ok((answer, destination)) => {
                tracing::debug!(
                    setup.id = setup.nonce,
                    provider.id = provider.id(),
                    step.name = name,
                    step.answer = kind(&answer),
                    step.milliseconds = milliseconds,
                    "a step answered"
                );
                transition(answer, destination, setup.step, plan.len())
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
                Transition::Fail(error.failure())
            }
        }
    }

    async fn answer(
        &self,
        provider: &Provider,
        step: Option<Planned<'_>>,
        setup: &mut Setup,
        request: &Request,
    ) -> Result<(Answer, Destination), StepError> {
        let mut announced = true;
        let answer = match step.ok_or(StepError::NoStep)? {
            Planned::View(name) => {
                let state = setup.state.clone();
                let (answer, state) = provider.run_view(name, request.clone(), state, &setup.hosts).await?;
                setup.state = state;
                announced = false;
                answer
            }
            Planned::LogIn(server) => {
                let (server, is_of_answer) = self.server(provider, server, setup).await?;
                announced = !is_of_answer;
                match server.log_in(request, &mut setup.state).await? {
                    LoginOutcome::Redirect(url) => Answer::Redirect { url },
                    LoginOutcome::Answered => Answer::Next,
                }
            }
            Planned::Callback(server) => {
                let step = server.step;
                let (server, _) = self.server(provider, server, setup).await?;
                let scopes = server.callback(step, request, &mut setup.state, self.clock.now()).await?;
                log_missing(provider, setup, &scopes);
                Answer::Next
            }
        };
        let destination = destination(&answer, provider, setup, announced)?;
        Ok((answer, destination))
    }

    /// The authorization server, with its issuer's metadata, and whether the plugin has answered its
    /// authorization endpoint in this setup. The issuer is asked when a setup needs it, and not when
    /// the host starts.
    async fn server(
        &self,
        provider: &Provider,
        server: Server<'_>,
        setup: &Setup,
    ) -> Result<(oauth2::AuthorizationServer, bool), StepError> {
        let is_fixed = server.fixed.is_some();
        let server = oauth2_of(provider, server, setup).await?;
        let is_of_answer = !is_fixed && !server.authorize_url.is_empty();
        let outbound = provider.outbound(&setup.hosts);
        let known = self.issuers.server(&server, &outbound, self.clock.now()).await;
        Ok((known.map_err(OAuth2Error::from)?, is_of_answer))
    }
}

async fn oauth2_of<'a>(provider: &Provider, server: Server<'a>, setup: &Setup) -> Result<Cow<'a, OAuth2>, PluginError> {
    match server.fixed {
        Some(oauth2) => Ok(Cow::Borrowed(oauth2)),
        None => provider.oauth2(server.step, setup.state.clone(), &setup.hosts).await.map(Cow::Owned),
    }
}

/// RFC 6749 section 3.3: a server may grant less than was requested.
fn log_missing(provider: &Provider, setup: &Setup, scopes: &Scopes) {
    let missing: Vec<&str> = scopes.missing().collect();
    if !missing.is_empty() {
        tracing::warn!(
            setup.id = setup.nonce,
            provider.id = provider.id(),
            scopes.missing = missing.join(" "),
            "fewer scopes were granted than asked for"
        );
    }
}

/// Where a redirect leads: to the web, and not to `javascript:`, `data:` or a path of this host; and
/// to no host that the operator does not grant. `announced`: the host has the URL from a description
/// or an issuer, and not from the plugin's answer.
fn destination(answer: &Answer, provider: &Provider, setup: &Setup, announced: bool) -> Result<Destination, StepError> {
    let Answer::Redirect { url } = answer else { return Ok(Destination::Declared) };
    let url = url::Url::parse(url).map_err(|_| StepError::Redirect)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(StepError::Redirect);
    }
    let found =
        if announced { provider.authorization_destination(&url) } else { provider.destination(&url, &setup.hosts) };
    match found {
        Destination::NotGranted => Err(StepError::NotGranted(url.host_str().unwrap_or_default().to_owned())),
        found => Ok(found),
    }
}

/// The kind of an answer, for the log.
const fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Html { .. } => "html",
        Answer::Form { .. } => "form",
        Answer::Wait { .. } => "wait",
        Answer::Redirect { .. } => "redirect",
        Answer::Next => "next",
        Answer::Error { .. } => "error",
        Answer::Unknown => "unknown",
    }
}

/// How long something has taken, to the hundredth.
pub(super) fn elapsed_milliseconds(started: Instant) -> f64 {
    (started.elapsed().as_secs_f64() * 100_000.0).round() / 100.0
}
