//! Integrations and providers as pages and API show them.

use crate::app::AppHandle;
use jackfield_services::integrations::{Installed, IntegrationOut};

/// Shows a stored integration under its provider's name. One whose provider is not loaded or not
/// configured is orphaned.
pub(in crate::web) fn shown(app: &AppHandle, installed: &Installed) -> IntegrationOut {
    let id = &installed.integration.provider;
    let provider = app.plugins.find(id);
    let fields = provider.as_ref().map(|provider| provider.config()).unwrap_or_default();
    let shown = IntegrationOut::new(installed, &provider_name(app, id), fields);
    if app.plugins.find_configured(id).is_some() { shown } else { shown.orphaned() }
}

/// What people call a provider, or its id when it is not loaded any more.
pub(in crate::web) fn provider_name(app: &AppHandle, id: &str) -> String {
    app.plugins.find(id).map_or_else(|| id.to_owned(), |provider| provider.name().to_owned())
}
