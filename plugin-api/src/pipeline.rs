//! The steps of a provider.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{Answer, OAuth2, Result, State, Step, from_state::FromState};

/// A step that the plugin runs itself.
///
/// An `async fn(Step) -> Result<Answer>` is one. A type that holds data implements the trait.
///
/// It gets the person's first request to the step, and every following one until it answers
/// [`Answer::Next`].
///
/// ```
/// use jackfield_plugin::{Answer, Field, Form, Pipeline, Result, Step, View};
///
/// struct Ask(&'static str);
///
/// impl View for Ask {
///     async fn dispatch(&self, mut step: Step) -> Result<Answer> {
///         let Some(value) = step.form(self.0).map(str::to_owned) else {
///             let form = Form::new("Which one?").field(Field::text(self.0, self.0));
///             return Ok(Answer::form(form));
///         };
///         step.bind(self.0, value);
///         Ok(Answer::Next)
///     }
/// }
///
/// let pipeline = Pipeline::new().view("team", Ask("team")).view("channel", Ask("channel"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step",
    note = "a step is an `async fn(Step) -> Result<Answer>`, or a type that implements `jackfield_plugin::View`",
    note = "its future must be `Send`: hold no `Rc`, `RefCell` borrow or the like across an `.await`"
)]
pub trait View: Send + Sync + 'static {
    /// Answers one request.
    fn dispatch(&self, step: Step) -> impl Future<Output = Result<Answer>> + Send;
}

impl<F, Fut> View for F
where
    F: Fn(Step) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer>> + Send,
{
    fn dispatch(&self, step: Step) -> impl Future<Output = Result<Answer>> + Send {
        self(step)
    }
}

/// The steps a person goes through, in order.
#[derive(Default)]
pub struct Pipeline {
    pub(crate) steps: Vec<(String, PipelineStep)>,
}

pub(crate) enum PipelineStep {
    View(Arc<dyn AnyView>),
    OAuth2(Box<OAuth2>),
    OAuth2FromState(Arc<FromState>),
}

impl Pipeline {
    /// A pipeline without steps. The host builds the integration at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step that the plugin runs itself. The name must be unique in the pipeline. A running
    /// setup ends if the names change.
    #[must_use]
    pub fn view(mut self, name: impl Into<String>, view: impl View) -> Self {
        self.steps.push((name.into(), PipelineStep::View(Arc::new(view))));
        self
    }

    /// Adds login and callback at an OAuth 2.0 authorization server, which the host runs. It binds
    /// the token response as `data`.
    #[must_use]
    pub fn oauth2(self, oauth2: OAuth2) -> Self {
        self.host_step(PipelineStep::OAuth2(Box::new(oauth2)))
    }

    /// Like [`oauth2`](Self::oauth2), at a server that depends on what earlier steps have bound,
    /// for example an instance that the person names. The host calls the function at the login and
    /// again at the callback; it must return the same server for the same state. The host of the
    /// token endpoint must be in [`Provider::hosts`](crate::Provider::hosts), or one that a step
    /// [wants to reach](Step::reach) if the provider
    /// [allows that](crate::Provider::allows_user_supplied_hosts).
    ///
    /// Each server has a redirect URI of its own, which [`Step::setup_url`] tells, so that no
    /// server that a person names gets the answers of another. Mark the one at which the operator's
    /// client is registered with [`OAuth2::default_server`]: it keeps the redirect URI of the
    /// provider.
    ///
    /// ```
    /// use jackfield_plugin::{Answer, Field, Form, OAuth2, Pipeline, Result, Step, value};
    ///
    /// async fn ask_instance(mut step: Step) -> Result<Answer> {
    ///     let Some(url) = step.form("url").map(str::to_owned) else {
    ///         let form = Form::new("Which instance?").field(Field::text("url", "Address"));
    ///         return Ok(Answer::form(form));
    ///     };
    ///     step.reach(&url);
    ///     step.bind("url", url);
    ///     Ok(Answer::Next)
    /// }
    ///
    /// let pipeline = Pipeline::new().view("instance", ask_instance).oauth2_with(|state| {
    ///     let url: String = value(state, "url")?;
    ///     let oauth2 = OAuth2::new(format!("{url}/authorize"), format!("{url}/token"));
    ///     Ok(oauth2.client("id", "secret"))
    /// });
    /// ```
    #[must_use]
    pub fn oauth2_with(self, from_state: impl Fn(&State) -> Result<OAuth2> + Send + Sync + 'static) -> Self {
        self.host_step(PipelineStep::OAuth2FromState(Arc::new(from_state)))
    }

    /// The server of the next OAuth 2.0 step after a step, if it depends on the state.
    pub(crate) fn next_server(&self, after: &str) -> Option<Arc<FromState>> {
        let later = self.steps.iter().skip_while(|(name, _)| name != after);
        match later.map(|(_, step)| step).find(|step| !matches!(step, PipelineStep::View(_)))? {
            PipelineStep::OAuth2FromState(from_state) => Some(from_state.clone()),
            PipelineStep::View(_) | PipelineStep::OAuth2(_) => None,
        }
    }

    /// Adds a step that the host runs, and names it: `oauth2`, `oauth2-2`, ….
    fn host_step(mut self, step: PipelineStep) -> Self {
        let count = self.steps.iter().filter(|(_, step)| !matches!(step, PipelineStep::View(_))).count();
        let name = if count == 0 { "oauth2".to_owned() } else { format!("oauth2-{}", count + 1) };
        self.steps.push((name, step));
        self
    }
}

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A [`View`] of any type.
pub(crate) trait AnyView: Send + Sync {
    fn dispatch(self: Arc<Self>, step: Step) -> BoxFuture<Answer>;
}

impl<V: View> AnyView for V {
    fn dispatch(self: Arc<Self>, step: Step) -> BoxFuture<Answer> {
        Box::pin(async move { View::dispatch(&*self, step).await })
    }
}
