//! The sections of the file. Every other top-level table holds a provider's options.

/// Declared providers.
pub(super) const PROVIDERS: &str = "providers";

/// The top-level names that are the host's own.
pub(super) const SECTIONS: [&str; 13] = [
    "default-integrations",
    "system",
    "database",
    "plugins",
    "features",
    "http",
    "tokens",
    "proxy",
    "audit",
    "inbox",
    "endpoints",
    "connect",
    PROVIDERS,
];

/// The keys of each section, but those of [`PLUGIN_KEYS`] that stand in `[plugins]` as well.
pub(super) const SECTION_KEYS: [(&str, &[&str]); 9] = [
    (
        "system",
        &[
            "url-prefix",
            "listen",
            "trusted-proxies",
            "control",
            "secret-key",
            "max-connections",
            "max-requests",
            "idle-timeout",
        ],
    ),
    ("database", &["application-name", "pool-size", "prepared-statements", "statement-timeout", "url"]),
    (
        "plugins",
        &["path", "trusted-keys", "on-failure", "sandbox", "clock", "isolation", "deadline", "memory", "workers"],
    ),
    ("http", &["allow-private", "timeout", "max-response-bytes", "stand-in"]),
    ("tokens", &["keep-alive-days"]),
    ("proxy", &["max-request-bytes", "idle-timeout", "max-calls"]),
    ("audit", &["keep"]),
    ("connect", &["issuers"]),
    ("inbox", &["keep", "max-events", "max-bytes", "max-per-minute"]),
];

/// The features there are, which are the keys of `[features]`, and whether each is on by default.
pub(super) const FEATURES: [(&str, bool); 2] = [("organizations:integrations-v3", true), ("integrations:shared", true)];

/// The keys of `[plugins.NAME]`.
pub(super) const PLUGIN_KEYS: [&str; 7] =
    ["isolation", "deadline", "memory", "workers", "hosts", "providers", "identities"];

/// Whether a top-level name is the host's own, so that no provider can have it as its id.
pub(super) fn is_section(name: &str) -> bool {
    SECTIONS.contains(&name)
}
