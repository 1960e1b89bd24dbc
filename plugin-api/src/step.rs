//! What a step gets.

use std::sync::{Arc, Mutex};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, Host, HttpRequest, HttpResponse, Request, Result, State, from_state::FromState, lock::lock};

/// One request to a step: what the browser sent, what earlier steps have bound, and the host.
pub struct Step {
    request: Request,
    state: Arc<Mutex<State>>,
    host: Host,
    /// The next authorization server, if it depends on the state.
    next_server: Option<Arc<FromState>>,
}

impl Step {
    pub(crate) const fn new(
        request: Request,
        state: Arc<Mutex<State>>,
        host: Host,
        next_server: Option<Arc<FromState>>,
    ) -> Self {
        Self { request, state, host, next_server }
    }

    /// What the browser sent.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The first query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.request.query(name)
    }

    /// The first posted form field of that name.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<&str> {
        self.request.form(name)
    }

    /// Absolute URL of this setup. The service's pages must lead back to it, and it is the redirect
    /// URI that somebody has to register at the authorization server.
    ///
    /// If the next server is one of [`Pipeline::oauth2_with`](crate::Pipeline::oauth2_with), each
    /// server has a redirect URI of its own. Then this is the URL for the server that the function
    /// answers for what is bound now, so bind what names the server first.
    #[must_use]
    pub fn setup_url(&self) -> String {
        let setup_url = &self.request.setup_url;
        let Some(next_server) = &self.next_server else { return setup_url.clone() };
        // The function is the author's code: it must not run under the lock.
        let state = lock(&self.state).clone();
        next_server(&state).map_or_else(|_| setup_url.clone(), |oauth2| oauth2.redirect_uri(setup_url))
    }

    /// Lets this setup, and the integration after it, reach the host of a URL that the person has
    /// named. Call it when the step has judged the URL; it counts once the step answers
    /// [`Answer::Next`](crate::Answer::Next) or a redirect, and for the requests that the step
    /// sends itself. It takes the place of hosts that an earlier answer has named. The provider has
    /// to [allow it](crate::Provider::allows_user_supplied_hosts).
    ///
    /// ```
    /// use jackfield_plugin::{Answer, Result, Step};
    ///
    /// async fn instance(mut step: Step) -> Result<Answer> {
    ///     let url = step.form("url").unwrap_or_default().to_owned();
    ///     if !url.starts_with("https://") {
    ///         return Ok(Answer::error("it has to be an https URL"));
    ///     }
    ///     step.reach(&url);
    ///     step.bind("instance", url);
    ///     Ok(Answer::Next)
    /// }
    /// ```
    pub fn reach(&mut self, url: &str) {
        self.host.reach(url);
    }

    /// Absolute URL of this setup's webhook, another one in each setup. Requests to it reach
    /// [`Provider::handle_webhook`](crate::Provider::handle_webhook), during the setup and after
    /// it. When an organization has set the same account up again, only the URL of that setup is
    /// left: give it to the service each time. Show it only to the service. Empty if the host has
    /// no webhooks.
    #[must_use]
    pub fn webhook_url(&self) -> &str {
        &self.request.webhook_url
    }

    /// Binds a value into the state. The host keeps it, encrypted, until the setup ends.
    pub fn bind(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        lock(&self.state).insert(key, value);
    }

    /// A bound value.
    ///
    /// # Errors
    /// If no step has bound it, or it has another shape.
    pub fn value<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        // The shape is the author's code: it must not run under the lock.
        let value = lock(&self.state).get(key).cloned();
        read(value.as_ref(), key)
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Sends a request: short for [`Host::send`].
    ///
    /// # Errors
    /// If the host refuses the request, or no response arrives.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.host.send(request).await
    }
}

/// A value of a state, in the expected shape.
///
/// ```
/// use jackfield_plugin::{State, value};
///
/// let mut state = State::new();
/// state.insert("team".into(), "T1".into());
/// assert_eq!(value::<String>(&state, "team").unwrap(), "T1");
/// let error = value::<u32>(&state, "team").unwrap_err();
/// assert_eq!(error.to_string(), "`team` has another shape than expected");
/// ```
///
/// # Errors
/// If it is absent or has another shape. The error names the key and not the value, which may be a
/// token.
pub fn value<T: DeserializeOwned>(state: &State, key: &str) -> Result<T> {
    read(state.get(key), key)
}

fn read<T: DeserializeOwned>(value: Option<&Value>, key: &str) -> Result<T> {
    let value = value.ok_or_else(|| Error::new(format!("`{key}` was not bound by any step")))?;
    T::deserialize(value).map_err(|_| Error::new(format!("`{key}` has another shape than expected")))
}
