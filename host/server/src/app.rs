//! The services that a request can reach. No logic.

use std::{ops::Deref, sync::Arc};

use jackfield_config::{TrustedProxies, UrlPrefix};
use jackfield_loader::Plugins;
use jackfield_services::{
    accounts::Accounts,
    audit::{Audit, Retention},
    connect::ConnectSessions,
    database::Database,
    grants::Grants,
    inbox::{Inbox, ReceivedEvents},
    integrations::Integrations,
    keys::Keys,
    log_ins::LogInAudit,
    organization_settings::OrganizationSettingsService,
    outbox::{Deliveries, Endpoints, EventReader},
    program_reads::ProgramReads,
    proxy::Proxy,
    reload::Reloader,
    removals::Removals,
    revocations::Revocations,
    session::Sessions,
    setup::SetupService,
    token_reads::TokenReads,
};

/// All that a request can reach.
#[expect(missing_docs, reason = "each field is the service of its name")]
pub struct App {
    pub accounts: Accounts,
    pub audit: Audit,
    pub connect_sessions: ConnectSessions,
    pub database: Database,
    pub deliveries: Deliveries,
    pub endpoints: Endpoints,
    pub events: EventReader,
    pub grants: Grants,
    pub inbox: Inbox,
    pub integrations: Integrations,
    pub keys: Keys,
    pub log_in_audit: LogInAudit,
    pub organization_settings: OrganizationSettingsService,
    pub plugins: Plugins,
    pub program_reads: ProgramReads,
    pub proxy: Proxy,
    pub received_events: ReceivedEvents,
    pub reloader: Reloader,
    pub removals: Removals,
    pub retention: Retention,
    pub revocations: Revocations,
    pub sessions: Sessions,
    pub setups: SetupService,
    pub token_reads: TokenReads,
    pub trusted_proxies: TrustedProxies,
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
