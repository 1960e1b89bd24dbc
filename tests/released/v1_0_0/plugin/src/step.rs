//! What a step is given.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, Host, HttpRequest, HttpResponse, Request, Result, State};

/// One request to a step: what the browser sent, what earlier steps have bound, and the host.
pub struct Step {
    request: Request,
    state: Arc<Mutex<State>>,
    host: Host,
}

impl Step {
    pub(crate) const fn new(request: Request, state: Arc<Mutex<State>>, host: Host) -> Self {
        Self { request, state, host }
    }

    /// What the browser sent.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// First query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.request.query(name)
    }

    /// First posted form field of that name.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<&str> {
        self.request.form(name)
    }

    /// Absolute URL of this set-up: where a provider's pages must lead back to.
    #[must_use]
    pub fn setup_url(&self) -> &str {
        &self.request.setup_url
    }

    /// Absolute URL of this set-up's webhook: who calls it is judged by [`Provider::receive`](crate::Provider::receive), during the set-up and
    /// after it. Only the service should know it. Empty where the host has no webhooks.
    #[must_use]
    pub fn webhook_url(&self) -> &str {
        &self.request.webhook_url
    }

    /// Binds a value into the state. It is kept, sealed, until the set-up ends.
    pub fn bind(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).insert(key.into(), value.into());
    }

    /// A value that was bound.
    ///
    /// # Errors
    /// When there is none, or it has another shape.
    pub fn value<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        value(&self.state.lock().unwrap_or_else(PoisonError::into_inner), key)
    }

    /// What the host lends.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Has the host send a request: short for [`Host::send`].
    ///
    /// # Errors
    /// When the host refuses the request, or no answer comes.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.host.send(request).await
    }
}

/// A value of a state, in the shape that is expected.
///
/// ```
/// use jackfield_plugin::{State, value};
///
/// let mut state = State::new();
/// state.insert("team".into(), "T1".into());
/// assert_eq!(value::<String>(&state, "team").unwrap(), "T1");
/// assert_eq!(value::<u32>(&state, "team").unwrap_err().to_string(), "`team` has another shape than expected");
/// ```
///
/// # Errors
/// When there is none, or it has another shape. The error names the key and never the value, which may be a token.
pub fn value<T: DeserializeOwned>(state: &State, key: &str) -> Result<T> {
    let value = state.get(key).ok_or_else(|| Error::new(format!("`{key}` was not bound by any step")))?;
    T::deserialize(value).map_err(|_| Error::new(format!("`{key}` has another shape than expected")))
}
