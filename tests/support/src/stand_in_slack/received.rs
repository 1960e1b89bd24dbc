//! One request, as it was received.

use axum::http::{HeaderMap, Method};

/// One request that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Method.
    pub method: Method,
    /// Path without query.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Query parameters, in order.
    pub query: Vec<(String, String)>,
    /// Form fields, in order.
    pub form: Vec<(String, String)>,
}

impl Received {
    /// First query parameter of that name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// First form field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }

    /// First of that name in the form or the query.
    pub(super) fn either(&self, name: &str) -> Option<&str> {
        self.field(name).or_else(|| self.parameter(name))
    }

    /// For the one method of Slack's that has the client's secret in the query.
    pub(super) fn with_query_as_form(&self) -> Self {
        let form = self.form.iter().chain(&self.query).cloned().collect();
        Self { form, ..self.clone() }
    }

    /// Whether it is below `/api/`, where no browser goes.
    pub(super) fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}
