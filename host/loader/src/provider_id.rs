//! Which ids a provider may have.

/// Whether this can be the id of a provider. Ids are parts of URLs, and tables of the configuration
/// file beside the host's own.
#[must_use]
pub fn is_good_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&id.len()) && id.bytes().all(is_allowed) && !jackfield_config::Settings::is_section(id)
}
