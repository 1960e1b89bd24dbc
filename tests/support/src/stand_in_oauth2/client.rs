//! The client that is registered at every service.

/// Id of the client that is registered at every service.
pub const CLIENT: &str = "client-1.example:app";
/// Its secret, with characters that form encoding changes.
pub const SECRET: &str = "s3cret &/+";
