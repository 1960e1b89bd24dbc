//! What a step answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Field;

/// What a step answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Answer {
    /// Show HTML of the plugin's own, framed by the host's layout; it can run no script.
    Html {
        /// A fragment for the page's body.
        #[serde(default)]
        html: String,
    },
    /// Show HTML like [`Self::Html`], and look again by itself every few seconds.
    Wait {
        /// A fragment for the page's body.
        #[serde(default)]
        html: String,
    },
    /// Show a form that the host draws.
    Form {
        /// The form.
        #[serde(default)]
        form: Form,
    },
    /// Send the person's browser elsewhere.
    Redirect {
        /// Absolute URL.
        #[serde(default)]
        url: String,
    },
    /// Go on: the next step runs at once, in the same request.
    Next,
    /// End the pipeline with a message for the person.
    Error {
        /// Shown as text.
        #[serde(default)]
        message: String,
    },
    /// An answer of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A form as data: the host draws it in its own look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Form {
    /// Heading.
    pub title: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Values to show, by field name; passwords are never shown again.
    pub values: BTreeMap<String, String>,
    /// Messages to show, by field name.
    pub errors: BTreeMap<String, String>,
    /// Text of the button; "Continue" when empty.
    pub submit: String,
}

impl Answer {
    /// Shows HTML of the plugin's own: a fragment for the page's body. It can run no script; escape what others have written.
    pub fn html(html: impl Into<String>) -> Self {
        Self::Html { html: html.into() }
    }

    /// Shows HTML like [`html`](Self::html) until what the step waits for has come: the page looks again by itself, as a GET without fields,
    /// every few seconds.
    pub fn wait(html: impl Into<String>) -> Self {
        Self::Wait { html: html.into() }
    }

    /// Shows a form that the host draws.
    #[must_use]
    pub const fn form(form: Form) -> Self {
        Self::Form { form }
    }

    /// Sends the person's browser to an absolute URL.
    pub fn redirect(url: impl Into<String>) -> Self {
        Self::Redirect { url: url.into() }
    }

    /// Ends the pipeline with a message that the person reads.
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error { message: message.into() }
    }
}

impl Form {
    /// A form without fields.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// Shows a value in a field.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// Shows a message at a field.
    #[must_use]
    pub fn error(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.insert(name.into(), message.into());
        self
    }
}
