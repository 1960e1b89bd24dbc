//! What is wrong with new settings: all of it at once, each with its field.

use std::fmt;

use jackfield_store::StoreError;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name on embedded pages.
    DisplayName,
    /// The color of buttons.
    AccentColor,
    /// The origins that may embed pages.
    AllowedOrigins,
    /// What the same account of two subjects is.
    SameAccount,
    /// The logo.
    Logo,
}

impl Field {
    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DisplayName => "displayName",
            Self::AccentColor => "accentColor",
            Self::AllowedOrigins => "allowedOrigins",
            Self::SameAccount => "sameAccount",
            Self::Logo => "logo",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// With which setting.
    pub field: Field,
    /// What, in words for people: found, and wanted.
    pub message: String,
}

impl InvalidField {
    pub(super) fn new(field: Field, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// They are not valid.
    #[error("{}", InvalidFields(.0))]
    Invalid(Vec<InvalidField>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct InvalidFields<'a>(&'a [InvalidField]);

impl fmt::Display for InvalidFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, field) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{}: {}", field.field.as_str(), field.message)?;
        }
        Ok(())
    }
}
