//! Integrations and providers as pages and API show them.

use std::{collections::HashMap, sync::Arc};

use crate::app::AppHandle;
use jackfield_loader::Provider;
use jackfield_services::integrations::{Installed, IntegrationOut};

/// Shows a stored integration under its provider's name. One whose provider is not loaded or not
/// configured is orphaned.
pub(in crate::web) fn shown(app: &AppHandle, installed: Installed) -> IntegrationOut {
    shown_by(app.plugins.find(&installed.integration.provider).as_deref(), installed)
}

/// Shows many. Most of them are of few providers, so each of these is looked up once.
pub(in crate::web) fn all_shown(app: &AppHandle, rows: Vec<Installed>) -> Vec<IntegrationOut> {
    let mut providers: HashMap<String, Option<Arc<Provider>>> = HashMap::new();
    let shown = |installed: Installed| {
        let id = &installed.integration.provider;
        if !providers.contains_key(id) {
            providers.insert(id.clone(), app.plugins.find(id));
        }
        let provider = providers.get(id).and_then(Option::as_deref);
        shown_by(provider, installed)
    };
    rows.into_iter().map(shown).collect()
}

fn shown_by(provider: Option<&Provider>, installed: Installed) -> IntegrationOut {
    let Some(provider) = provider else {
        let id = installed.integration.provider.clone();
        return IntegrationOut::new(installed, &id, &[]).orphaned();
    };
    let shown = IntegrationOut::new(installed, provider.name(), provider.config());
    if provider.is_configured() { shown } else { shown.orphaned() }
}

/// What people call a provider, or its id when it is not loaded any more.
pub(in crate::web) fn provider_name(app: &AppHandle, id: &str) -> String {
    app.plugins.find(id).map_or_else(|| id.to_owned(), |provider| provider.name().to_owned())
}
