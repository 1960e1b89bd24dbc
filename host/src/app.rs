//! Floor 4: the handles a request can reach; no logic.

use std::{ops::Deref, sync::Arc};

use crate::{
    accounts::Accounts,
    config::{Features, UrlPrefix},
    grants::Grants,
    integrations::{IntegrationOut, Integrations},
    pipeline::Pipelines,
    plugins::Plugins,
    proxy::Proxy,
    reload::Reloader,
    session::Sessions,
    store::{Store, integrations::Installed},
};

/// All that a request can reach.
#[expect(missing_docs, reason = "each field is the room of its name")]
pub struct App {
    pub accounts: Accounts,
    pub features: Features,
    pub grants: Grants,
    pub integrations: Integrations,
    pub pipelines: Arc<Pipelines>,
    pub plugins: Plugins,
    pub proxy: Proxy,
    pub reloader: Reloader,
    pub sessions: Sessions,
    pub store: Store,
    pub url_prefix: UrlPrefix,
}

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
    /// Shows a stored integration under its provider's name, or its id when the provider is not loaded any more.
    #[must_use]
    pub fn show(&self, installed: &Installed) -> IntegrationOut {
        let id = &installed.integration.provider;
        let provider = self.plugins.find(id);
        IntegrationOut::new(installed, provider.as_ref().map_or(id.as_str(), |provider| provider.name()))
    }
}
