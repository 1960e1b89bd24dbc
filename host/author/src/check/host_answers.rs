//! What a plugin under test gets for its requests, in the host's place.

use jackfield_plugin_abi::envelope::Input;

/// Answers what a plugin asks the host for.
pub(super) trait HostAnswers {
    /// The answer to a request.
    fn input(&mut self) -> Input;
    /// The answer to a plugin that asks for a token.
    fn token(&mut self) -> Input;
}
