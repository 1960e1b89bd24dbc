//! What an organization shows where other products embed its pages, and which origins may. Knows
//! neither HTTP nor plugins.

pub use jackfield_store::organization_settings::{OrganizationSettings, SameAccount, allowed_origins, find};
