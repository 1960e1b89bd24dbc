//! Which grant a program names.

use crate::web::error::{Problem, WebError};
use jackfield_services::grants::GrantSelector;

/// Longest name of a grant, and longest id of an identity, in bytes. What is refused is counted by
/// them for a while.
const LONGEST: usize = 255;

/// The grant with this name and subject; either may be empty.
pub(super) fn selector(name: String, subject: String) -> Result<GrantSelector, WebError> {
    if name.len().max(subject.len()) > LONGEST {
        return Err(Problem::BadRequest.because("The name of a grant and its subject have at most 255 bytes."));
    }
    Ok(GrantSelector { name, subject })
}
