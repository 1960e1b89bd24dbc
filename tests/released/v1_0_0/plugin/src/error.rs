//! The error of an author's code.

use std::fmt;

/// What went wrong, for the operator's log. The person in the browser reads `an internal error
/// occurred`. To tell them more, answer [`Answer::Error`](crate::Answer::Error) instead.
///
/// Every standard error converts with `?`.
///
/// ```
/// use jackfield_plugin::{Error, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     if text.is_empty() {
///         return Err(Error::new("no port is given"));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Debug)]
pub struct Error(String);

/// A result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with this message. Put no secret into it.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// As in anyhow, `Error` is no `std::error::Error` itself, so that every one of those converts.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
