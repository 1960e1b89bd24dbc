//! The sections of the file. Every other top-level table holds a provider's options.

/// Declared providers.
pub(super) const PROVIDERS: &str = "providers";

/// The top-level names that are the host's own.
pub(super) const SECTIONS: [&str; 10] =
    ["default-integrations", "system", "database", "plugins", "features", "http", "tokens", "proxy", "audit", PROVIDERS];

/// Whether a top-level name is the host's own, so that no provider can have it as its id.
pub(super) fn is_section(name: &str) -> bool {
    SECTIONS.contains(&name)
}
