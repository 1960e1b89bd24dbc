//! What an organization shows where other products embed its pages, and which origins may. Knows
//! neither HTTP nor plugins.

mod accent_color;
mod clean_logo;
mod origins;
mod settings_change;
mod settings_error;
mod settings_service;

pub use accent_color::on_accent;
pub use clean_logo::MOST_BYTES;
pub use jackfield_store::organization_settings::{Logo, OrganizationSettings, SameAccount, allowed_origins, find};
pub use settings_change::SettingsChange;
pub use settings_error::{Field, InvalidField, SettingsError};
pub use settings_service::OrganizationSettingsService;
