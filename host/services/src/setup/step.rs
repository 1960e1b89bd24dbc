//! Runs one step: the plugin's own, or one of the host's.

use std::borrow::Cow;

use thiserror::Error;

use super::{
    active::Setup,
    plan::{Planned, Server, plan},
    redirect_uri::at_server,
    setup_outcome::{Failure, INTERNAL_ERROR},
    step_log::StepLog,
    transition::{Transition, transition},
    visit_cost::{TooCostly, VisitCost},
};
use jackfield_config::clock::Clock;
use jackfield_loader::{Answer, Destination, OAuth2, PluginError, Provider, Request};
use jackfield_oauth2::{self as oauth2, Issuers, LoginOutcome, OAuth2Error, ScopeComparison};

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
    #[error(transparent)]
    Cost(#[from] TooCostly),
    #[error("the setup is beyond the last step")]
    NoStep,
}

impl StepError {
    /// What went wrong in one word, for the log.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Plugin(error) => error.reason(),
            Self::OAuth2(_) => "oauth2",
            Self::Cost(error) => error.reason(),
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
            Self::Plugin(_) | Self::Redirect | Self::NotGranted(_) | Self::Cost(_) => Some("plugin"),
            Self::NoStep => None,
        }
    }
}

/// The authorization server of a step.
struct StepServer {
    server: oauth2::AuthorizationServer,
    /// With the server's redirect URI.
    request: Request,
    /// Whether the plugin has answered its authorization endpoint in this setup.
    is_answered: bool,
}

/// Runs the steps of setups.
#[derive(Clone)]
pub(super) struct StepRunner {
    pub(super) issuers: Issuers,
    pub(super) clock: Clock,
}

impl StepRunner {
    /// Runs the current step, keeps what it has bound, logs it, and returns what follows. `came_to`
    /// is the authorization server in the path of the request.
    pub(super) async fn run(
        &self,
        provider: &Provider,
        setup: &mut Setup,
        request: &Request,
        came_to: Option<&str>,
        cost: &VisitCost,
    ) -> Transition {
        tracing::debug!(setup.id = setup.nonce, provider.id = provider.id(), setup.step = setup.step, "a step runs");
        let plan = plan(provider.steps());
        let step = plan.get(setup.step);
        let log = StepLog::start(provider, step.map_or("", Planned::name), Some(setup.step));
        let result = match cost.count_step() {
            Ok(()) => self.answer(provider, step.copied(), setup, request, came_to).await,
            Err(error) => Err(error.into()),
        };
        match result {
            Ok((answer, destination)) => {
                log.answered(setup, kind(&answer), "a step answered");
                transition(answer, destination, setup.step, plan.len())
            }
            Err(error) => {
                log.failed(setup, error.reason(), &error, "a step failed");
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
        came_to: Option<&str>,
    ) -> Result<(Answer, Destination), StepError> {
        let mut is_announced = true;
        let answer = match step.ok_or(StepError::NoStep)? {
            Planned::View(name) => {
                let state = setup.state.clone();
                let outcome = provider.run_step(name, request.clone(), state, &setup.hosts, &setup.url_fields).await?;
                setup.state = outcome.state;
                setup.url_fields = outcome.url_fields;
                setup.accept_hosts(outcome.accepted_hosts);
                is_announced = false;
                outcome.answer
            }
            Planned::LogIn(server) => {
                let StepServer { server, request, is_answered } =
                    self.server(provider, server, setup, request, came_to).await?;
                is_announced = !is_answered;
                match server.log_in(&request, &mut setup.state).await? {
                    LoginOutcome::Redirect(url) => Answer::Redirect { url },
                    LoginOutcome::Answered => Answer::Next,
                }
            }
            Planned::Callback(server) => {
                let step = server.step;
                let StepServer { server, request, .. } = self.server(provider, server, setup, request, came_to).await?;
                let scopes = server.callback(step, &request, &mut setup.state, self.clock.now()).await?;
                log_missing(provider, setup, &scopes);
                Answer::Next
            }
        };
        let destination = destination(&answer, provider, setup, is_announced)?;
        Ok((answer, destination))
    }

    /// The authorization server, with its issuer's metadata, and the request with its redirect URI.
    /// The issuer is asked when a setup needs it, and not when the host starts. Nobody is asked for
    /// an answer that came to the redirect URI of another server.
    async fn server(
        &self,
        provider: &Provider,
        server: Server<'_>,
        setup: &Setup,
        request: &Request,
        came_to: Option<&str>,
    ) -> Result<StepServer, StepError> {
        let depends_on_state = server.fixed.is_none();
        let server = oauth2_of(provider, server, setup).await?;
        let is_answered = depends_on_state && !server.authorize_url.is_empty();
        let in_path = if depends_on_state { provider.server_in_path(&server) } else { None };
        let request = at_server(request, came_to, in_path.as_deref()).map_err(OAuth2Error::from)?;
        let outbound = provider.outbound(&setup.hosts);
        let known = self.issuers.server(&server, &outbound, self.clock.now()).await;
        Ok(StepServer { server: known.map_err(OAuth2Error::from)?, request, is_answered })
    }
}

async fn oauth2_of<'a>(provider: &Provider, server: Server<'a>, setup: &Setup) -> Result<Cow<'a, OAuth2>, PluginError> {
    match server.fixed {
        Some(oauth2) => Ok(Cow::Borrowed(oauth2)),
        None => provider.oauth2(server.step, setup.state.clone(), &setup.hosts).await.map(Cow::Owned),
    }
}

/// RFC 6749 section 3.3: a server may grant less than was requested.
fn log_missing(provider: &Provider, setup: &Setup, scopes: &ScopeComparison) {
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

/// Where a redirect leads: to the web, and not to `javascript:`, `data:` or a path of this host;
/// and to no host that the operator does not grant. `announced`: the host has the URL from a
/// description or an issuer, and not from the plugin's answer.
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
