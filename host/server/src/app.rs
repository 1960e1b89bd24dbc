//! Floor 4: the handles a request can reach; no logic.

use std::{ops::Deref, sync::Arc};

use jackfield_config::{Features, UrlPrefix};
use jackfield_loader::Plugins;
use jackfield_services::{
    accounts::Accounts,
    audit::Audit,
    grants::Grants,
    integrations::{IntegrationOut, Integrations},
    keys::Keys,
    proxy::Proxy,
    reload::Reloader,
    revocations::Revocations,
    session::Sessions,
    setup::Pipelines,
};
use jackfield_store::{Store, integrations::Installed};

/// All that a request can reach.
#[expect(missing_docs, reason = "each field is the room of its name")]
pub struct App {
    pub accounts: Accounts,
    pub audit: Audit,
    pub features: Features,
    pub grants: Grants,
    pub integrations: Integrations,
    pub keys: Keys,
    pub pipelines: Arc<Pipelines>,
    pub plugins: Plugins,
    pub proxy: Proxy,
    pub reloader: Reloader,
    pub revocations: Revocations,
    pub sessions: Sessions,
    pub store: Store,
    pub url_prefix: UrlPrefix,
}

/// Status of an integration that its provider has left behind.
const ORPHANED: &str = "orphaned";

/// A cheap handle on [`App`].
#[derive(Clone)]
pub struct AppHandle(Arc<App>);

impl AppHandle {
    /// Wraps the handles.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self(Arc::new(app))
    }
}

impl Deref for AppHandle {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl App {
    /// Shows a stored integration under its provider's name, or its id when the provider is not loaded any more. One that nothing here can
    /// use, since its provider is not loaded or not configured, is an orphan, whatever it was.
    #[must_use]
    pub fn show(&self, installed: &Installed) -> IntegrationOut {
        let id = &installed.integration.provider;
        let mut shown = IntegrationOut::new(installed, &self.provider_name(id));
        if self.plugins.find_configured(id).is_none() {
            ORPHANED.clone_into(&mut shown.status);
        }
        shown
    }

    /// What people call a provider, or its id when it is not loaded any more.
    #[must_use]
    pub fn provider_name(&self, id: &str) -> String {
        self.plugins.find(id).map_or_else(|| id.to_owned(), |provider| provider.name().to_owned())
    }
}
