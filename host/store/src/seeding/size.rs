//! How much is seeded.

/// How much is seeded.
#[derive(Clone, Debug)]
pub struct Seed {
    /// How many integrations, each with its grant, and now and then what else a setup leaves.
    pub integrations: i64,
    /// How many new organizations have them, each with a user and a session.
    pub organizations: i64,
    /// The slug of an organization that is there, and how many of the integrations it has: the
    /// first ones.
    pub own: Option<(String, i64)>,
    /// How many rows the audit log gets.
    pub audit_rows: i64,
    /// The provider of the integrations.
    pub provider: String,
}
