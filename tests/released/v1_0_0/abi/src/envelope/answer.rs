//! What a step answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Field;

/// What a step answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Answer {
    /// Show HTML of the plugin in the host's layout. It cannot run scripts.
    Html {
        /// A fragment of the page's body.
        #[serde(default)]
        html: String,
    },
    /// Show HTML like [`Self::Html`] on a page that reloads itself every few seconds.
    Wait {
        /// A fragment of the page's body.
        #[serde(default)]
        html: String,
    },
    /// Show a form that the host renders.
    Form {
        /// The form.
        #[serde(default)]
        form: Form,
    },
    /// Send the person's browser to another site.
    Redirect {
        /// Absolute http or https URL.
        #[serde(default)]
        url: String,
    },
    /// Go on: the next step runs in the same request.
    Next,
    /// End the setup with a message for the person.
    Error {
        /// Plain text.
        #[serde(default)]
        message: String,
    },
    /// An answer of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A form as data. The host renders it in its own style.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Form {
    /// Heading.
    pub title: String,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// Values to show, by field name. Passwords are never shown again.
    pub values: BTreeMap<String, String>,
    /// Error messages to show, by field name.
    pub errors: BTreeMap<String, String>,
    /// Text of the button. Empty means "Continue".
    pub submit: String,
}

impl Answer {
    /// Shows HTML of the plugin: a fragment of the page's body. It cannot run scripts. Escape text
    /// that others have written.
    pub fn html(html: impl Into<String>) -> Self {
        Self::Html { html: html.into() }
    }

    /// Shows HTML like [`html`](Self::html) while the step waits for something. The page reloads
    /// itself every few seconds, with a GET without query.
    pub fn wait(html: impl Into<String>) -> Self {
        Self::Wait { html: html.into() }
    }

    /// Shows a form that the host renders.
    #[must_use]
    pub const fn form(form: Form) -> Self {
        Self::Form { form }
    }

    /// Sends the person's browser to an absolute http or https URL.
    pub fn redirect(url: impl Into<String>) -> Self {
        Self::Redirect { url: url.into() }
    }

    /// Ends the setup with a message that the person reads.
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

    /// Shows an error message at a field.
    #[must_use]
    pub fn error(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.insert(name.into(), message.into());
        self
    }
}
