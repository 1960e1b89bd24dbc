//! The steps of a provider.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{Answer, OAuth2, Result, State, Step};

/// A step of a plugin's own.
///
/// An `async fn(Step) -> Result<Answer>` is one; a type that holds data of its own implements the trait.
///
/// It is asked when the person comes to the step, and again with each request until it answers [`Answer::Next`].
///
/// ```
/// use jackfield_plugin::{Answer, Pipeline, Result, Step, View};
///
/// struct Ask(&'static str);
///
/// impl View for Ask {
///     async fn dispatch(&self, mut step: Step) -> Result<Answer> {
///         match step.form(self.0).map(str::to_owned) {
///             Some(given) => {
///                 step.bind(self.0, given);
///                 Ok(Answer::Next)
///             }
///             None => Ok(Answer::html(format!(r#"<form method="POST"><input name="{}"></form>"#, self.0))),
///         }
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
    pub(crate) steps: Vec<(String, Kind)>,
}

pub(crate) enum Kind {
    View(Arc<dyn AnyView>),
    OAuth2(Box<OAuth2>),
    OAuth2FromState(Arc<FromState>),
}

/// Tells the authorization server from what earlier steps have bound.
pub(crate) type FromState = dyn Fn(&State) -> Result<OAuth2> + Send + Sync;

impl Pipeline {
    /// A pipeline without steps: the integration is built at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step of the plugin's own. The name must be unique in the pipeline; set-ups that are under way end when the names change.
    #[must_use]
    pub fn view(mut self, name: impl Into<String>, view: impl View) -> Self {
        self.steps.push((name.into(), Kind::View(Arc::new(view))));
        self
    }

    /// Adds log-in and callback at an OAuth 2.0 authorization server, run by the host. The token answer is bound as `data`.
    #[must_use]
    pub fn oauth2(self, oauth2: OAuth2) -> Self {
        self.run_by_the_host(Kind::OAuth2(Box::new(oauth2)))
    }

    /// The same at a server that depends on what earlier steps have bound, as where a person names their own instance. It is asked for at
    /// log-in and again at the callback, and must say the same for the same state. The host reaches a token endpoint that
    /// [`Provider::hosts`](crate::Provider::hosts) names, or a person did where
    /// [`Provider::hosts_from_forms`](crate::Provider::hosts_from_forms) says so.
    ///
    /// ```
    /// use jackfield_plugin::{Answer, OAuth2, Pipeline, Result, Step, value};
    ///
    /// async fn ask_instance(mut step: Step) -> Result<Answer> {
    ///     let Some(url) = step.form("url").map(str::to_owned) else {
    ///         return Ok(Answer::html(r#"<form method="POST"><input name="url"><button>Go on</button></form>"#));
    ///     };
    ///     step.bind("url", url);
    ///     Ok(Answer::Next)
    /// }
    ///
    /// let pipeline = Pipeline::new().view("instance", ask_instance).oauth2_with(|state| {
    ///     let url: String = value(state, "url")?;
    ///     Ok(OAuth2::new(format!("{url}/authorize"), format!("{url}/token")).client("id", "secret"))
    /// });
    /// ```
    #[must_use]
    pub fn oauth2_with(self, from_state: impl Fn(&State) -> Result<OAuth2> + Send + Sync + 'static) -> Self {
        self.run_by_the_host(Kind::OAuth2FromState(Arc::new(from_state)))
    }

    fn run_by_the_host(mut self, kind: Kind) -> Self {
        let count = self.steps.iter().filter(|(_, kind)| !matches!(kind, Kind::View(_))).count();
        let name = if count == 0 { "oauth2".to_owned() } else { format!("oauth2-{}", count + 1) };
        self.steps.push((name, kind));
        self
    }
}

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A [`View`] of any type.
pub(crate) trait AnyView: Send + Sync {
    fn dispatch(self: Arc<Self>, step: Step) -> Boxed<Answer>;
}

impl<V: View> AnyView for V {
    fn dispatch(self: Arc<Self>, step: Step) -> Boxed<Answer> {
        Box::pin(async move { View::dispatch(&*self, step).await })
    }
}
