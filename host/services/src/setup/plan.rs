//! The steps of a setup as the host counts them: what a plugin declares as one OAuth 2.0 step is
//! two.

use super::{active::Setup, setup_outcome::Progress};
use jackfield_loader::{OAuth2, Provider, Request, Step, StepKind};

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
    pub(super) step: &'a str,
    /// `None`: it depends on the state.
    pub(super) fixed: Option<&'a OAuth2>,
}

/// The steps of a provider, in order.
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

/// Whether a provider can have somebody call the webhook of a setup: only a plugin's own steps
/// learn its URL.
pub(super) fn may_have_webhook(provider: &Provider) -> bool {
    !provider.is_declared() && plan(provider.steps()).iter().any(|step| matches!(step, Planned::View(_)))
}

impl Planned<'_> {
    /// The name in the log.
    pub(super) const fn name(&self) -> &str {
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

/// The request for a step that runs at once after another. An authorization server's answer is for
/// the callback alone. And what a plugin's step got is not for a log-in, since a service may send
/// the person to that step with a `code` of its own.
pub(super) fn forward(mut request: Request, from: Planned<'_>, to: Planned<'_>) -> Request {
    if matches!((from, to), (Planned::Callback(_), _) | (Planned::View(_), Planned::LogIn(_))) {
        "GET".clone_into(&mut request.method);
        request.query.clear();
        request.form.clear();
    }
    request
}

/// Counts the steps as the plugin declares them: to a person, the two of OAuth 2.0 are one.
pub(super) fn progress(provider: &Provider, setup: &Setup, organization: &str) -> Progress {
    let ends = provider.steps().iter().scan(0, |end, step| {
        *end += plan(std::slice::from_ref(step)).len();
        Some(*end)
    });
    Progress {
        provider: provider.name().to_owned(),
        organization: organization.to_owned(),
        connect: setup.owner.connect_session(),
        step: ends.take_while(|end| *end <= setup.step).count() + 1,
        of: provider.steps().len(),
        named_hosts: setup.hosts.clone(),
        mark: setup.step,
    }
}
