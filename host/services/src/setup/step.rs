//! Runs one step: the plugin's own, or one of the host's.

use std::borrow::Cow;

use thiserror::Error;

use super::{INTERNAL_ERROR, Pipelines, Setup};
use jackfield_loader::{Answer, OAuth2, PluginError, Provider, Request, Step, StepKind};
use jackfield_oauth2::{self as oauth2, LoginOutcome, OAuth2Error, Scopes};

/// A step as the pipeline counts them: what the plugin declares as one OAuth 2.0 step is two.
#[derive(Clone, Copy)]
pub(super) enum Planned<'a> {
    View(&'a str),
    LogIn(Server<'a>),
    Callback(Server<'a>),
}

/// Where a plugin says which authorization server it is.
#[derive(Clone, Copy)]
pub(super) struct Server<'a> {
    /// Name of the plugin's step.
    step: &'a str,
    /// `None`: it depends on the state.
    fixed: Option<&'a OAuth2>,
}

/// The pipeline of a provider, in order.
pub(super) fn plan(steps: &[Step]) -> Vec<Planned<'_>> {
    let mut plan = Vec::new();
    for step in steps {
        let fixed = match &step.kind {
            StepKind::OAuth2(oauth2) => Some(&**oauth2),
            StepKind::OAuth2FromState => None,
            StepKind::View | StepKind::Unknown => {
                plan.push(Planned::View(&step.name));
                continue;
            }
        };
        let server = Server { step: &step.name, fixed };
        plan.extend([Planned::LogIn(server), Planned::Callback(server)]);
    }
    plan
}

impl Planned<'_> {
    /// What the log calls it.
    const fn name(&self) -> &str {
        match self {
            Self::View(name) => name,
            Self::LogIn(_) => "oauth2 log-in",
            Self::Callback(_) => "oauth2 callback",
        }
    }

    pub(super) const fn is_callback(&self) -> bool {
        matches!(self, Self::Callback(_))
    }
}

/// What a step that runs at once after another may read of the request. An answer of an authorization server is for the callback alone, and
/// what a plugin's step was sent answers no question that a log-in has yet to ask: a service may lead back to it with a `code` of its own.
pub(super) fn handed_on(mut request: Request, from: Planned<'_>, to: Planned<'_>) -> Request {
    if matches!((from, to), (Planned::Callback(_), _) | (Planned::View(_), Planned::LogIn(_))) {
        "GET".clone_into(&mut request.method);
        request.query.clear();
        request.form.clear();
    }
    request
}

/// The name of a step of the plan; empty beyond its end.
pub(super) fn name(steps: &[Step], at: usize) -> String {
    plan(steps).get(at).map_or_else(String::new, |step| step.name().to_owned())
}

/// The kind of an answer, for the log.
pub(super) const fn kind(answer: &Answer) -> &'static str {
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

/// Why a step failed. For the log.
#[derive(Debug, Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Plugin(#[from] PluginError),
    #[error(transparent)]
    OAuth2(#[from] OAuth2Error),
    #[error("the step's redirect is not an absolute http or https URL")]
    Redirect,
    #[error("the set-up is beyond the last step")]
    NoStep,
}

impl StepError {
    /// What went wrong in one word, for the log.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Plugin(error) => error.reason(),
            Self::OAuth2(_) => "oauth2",
            Self::Redirect | Self::NoStep => "answer",
        }
    }

    /// What the person reads.
    pub(super) fn public_message(&self) -> String {
        match self {
            Self::OAuth2(error) => error.public_message(),
            _ => None,
        }
        .unwrap_or_else(|| INTERNAL_ERROR.to_owned())
    }

    /// What failed, in a word that the person can quote.
    pub(super) const fn check(&self) -> Option<&'static str> {
        match self {
            Self::OAuth2(error) => Some(error.check()),
            Self::Plugin(_) | Self::Redirect => Some("plugin"),
            Self::NoStep => None,
        }
    }
}

impl Pipelines {
    /// Runs the current step and binds what it bound.
    pub(super) async fn run_step(
        &self,
        provider: &Provider,
        setup: &mut Setup,
        request: &Request,
    ) -> Result<Answer, StepError> {
        let step = *plan(provider.steps()).get(setup.step).ok_or(StepError::NoStep)?;
        let answer = match step {
            Planned::View(name) => self.run_view(provider, name, setup, request).await?,
            Planned::LogIn(server) => {
                match self.server(provider, server, setup).await?.log_in(request, &mut setup.state).await? {
                    LoginOutcome::Redirect(url) => Answer::Redirect { url },
                    LoginOutcome::Answered => Answer::Next,
                }
            }
            Planned::Callback(server) => {
                let (step, server) = (server.step, self.server(provider, server, setup).await?);
                let scopes = server.callback(step, request, &mut setup.state, self.clock.now()).await?;
                tell_missing(provider, setup, &scopes);
                Answer::Next
            }
        };
        check_redirect(&answer)?;
        Ok(answer)
    }

    /// The authorization server with what its issuer says. It is asked when a set-up comes there, and not when the host starts.
    async fn server(
        &self,
        provider: &Provider,
        server: Server<'_>,
        setup: &Setup,
    ) -> Result<oauth2::AuthorizationServer, StepError> {
        let server = oauth2_of(provider, server, setup).await?;
        let outbound = provider.outbound(&setup.hosts);
        let known = self.issuers.server(&server, &outbound, self.clock.now()).await;
        Ok(known.map_err(OAuth2Error::from)?)
    }

    async fn run_view(
        &self,
        provider: &Provider,
        name: &str,
        setup: &mut Setup,
        request: &Request,
    ) -> Result<Answer, StepError> {
        let (answer, state) = provider.run_view(name, request.clone(), setup.state.clone(), &setup.hosts).await?;
        setup.state = state;
        Ok(answer)
    }
}

async fn oauth2_of<'a>(provider: &Provider, server: Server<'a>, setup: &Setup) -> Result<Cow<'a, OAuth2>, PluginError> {
    match server.fixed {
        Some(oauth2) => Ok(Cow::Borrowed(oauth2)),
        None => provider.oauth2(server.step, setup.state.clone(), &setup.hosts).await.map(Cow::Owned),
    }
}

/// RFC 6749 section 3.3: a server may grant less than what was asked for.
fn tell_missing(provider: &Provider, setup: &Setup, scopes: &Scopes) {
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

/// A redirect from a plugin may lead anywhere on the web, and nowhere else (`javascript:`, `data:`, a path of this host).
fn check_redirect(answer: &Answer) -> Result<(), StepError> {
    let Answer::Redirect { url } = answer else { return Ok(()) };
    let url = url::Url::parse(url).map_err(|_| StepError::Redirect)?;
    if matches!(url.scheme(), "http" | "https") { Ok(()) } else { Err(StepError::Redirect) }
}
