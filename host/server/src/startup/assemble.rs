//! Builds the services of a host.

use crate::app::{App, AppHandle};
use jackfield_config::{SecretKeys, Settings, clock::Clock};
use jackfield_loader::Plugins;
use jackfield_services::{
    Store,
    accounts::Accounts,
    audit::{Audit, Builds, Retention},
    connect::{ConnectDependencies, ConnectSessions, LogInClient},
    database::Database,
    grants::{Grants, Issuers},
    inbox::{Inbox, InboxDependencies, ReceivedEvents},
    integrations::Integrations,
    keys::Keys,
    log_ins::LogInAudit,
    open::LoadedPlugins,
    organization_settings::OrganizationSettingsService,
    outbox::{Deliveries, Endpoints, EventReader},
    program_reads::ProgramReads,
    proxy::Proxy,
    reload::Reloader,
    removals::Removals,
    revocations::Revocations,
    session::Sessions,
    setup::{SetupDependencies, SetupService},
    token_reads::TokenReads,
};

/// All services, each with the ones that it needs.
pub(super) fn app(settings: Settings, store: Store, secret_keys: &SecretKeys, loaded: LoadedPlugins) -> AppHandle {
    let LoadedPlugins { plugins, outbound, .. } = loaded;
    let clock = Clock::system();
    let url_prefix = settings.system.url_prefix.clone();
    let trusted_proxies = settings.system.trusted_proxies.clone();
    let features = settings.features.clone();
    let builds = builds(&plugins);
    let issuers = Issuers::default();
    let accounts = Accounts::new(store.clone(), clock.clone());
    let integrations = Integrations::new(store.clone(), builds.clone());
    let audit = Audit::new(store.clone(), clock.clone()).with_builds(builds);
    let retention = Retention::new(store.clone(), clock.clone(), settings.audit.keep);
    let revocations = Revocations::new(store.clone(), plugins.clone(), issuers.clone(), clock.clone());
    let grants = Grants::new(
        store.clone(),
        plugins.clone(),
        issuers.clone(),
        clock.clone(),
        revocations.clone(),
        settings.tokens.keep_alive,
    );
    let proxy = Proxy::new(plugins.clone(), grants.clone(), audit.clone(), settings.proxy, url_prefix.clone());
    let dependencies = SetupDependencies {
        plugins: plugins.clone(),
        store: store.clone(),
        accounts: accounts.clone(),
        integrations: integrations.clone(),
        grants: grants.clone(),
        revocations: revocations.clone(),
        features: features.clone(),
        url_prefix: url_prefix.clone(),
        clock: clock.clone(),
        issuers: issuers.clone(),
    };
    let configured = settings.connect_issuers.clone();
    let connect = ConnectDependencies {
        store: store.clone(),
        plugins: plugins.clone(),
        url_prefix: url_prefix.clone(),
        log_in: LogInClient { configured, issuers, outbound: outbound.clone() },
    };
    let setups = SetupService::new(dependencies, secret_keys);
    let inbox = Inbox::new(InboxDependencies {
        store: store.clone(),
        plugins: plugins.clone(),
        url_prefix: url_prefix.clone(),
        clock: clock.clone(),
        grants: grants.clone(),
        setups: setups.clone(),
        settings: settings.inbox,
    });
    let to_programs = outbound.without_stand_in();
    AppHandle::new(App {
        inbox,
        received_events: ReceivedEvents::new(store.clone(), clock),
        connect_sessions: ConnectSessions::new(connect),
        database: Database::new(store.clone()),
        deliveries: Deliveries::new(store.clone(), to_programs.clone()),
        endpoints: Endpoints::new(store.clone(), to_programs),
        events: EventReader::new(store.clone()),
        keys: Keys::new(store.clone()),
        log_in_audit: LogInAudit::new(store.clone(), audit.clone()),
        organization_settings: OrganizationSettingsService::new(store.clone()),
        setups,
        sessions: Sessions::new(store.clone(), url_prefix.is_https()),
        reloader: Reloader::new(settings, outbound, plugins.clone(), features, store, audit.clone(), retention.clone()),
        removals: Removals::new(accounts.clone(), integrations.clone(), revocations.clone()),
        program_reads: ProgramReads::new(accounts.tokens().clone()),
        token_reads: TokenReads::new(grants.clone(), audit.clone()),
        accounts,
        audit,
        grants,
        integrations,
        plugins,
        proxy,
        retention,
        revocations,
        trusted_proxies,
        url_prefix,
    })
}

/// Which build of a plugin serves a provider now.
fn builds(plugins: &Plugins) -> Builds {
    let plugins = plugins.clone();
    Builds::new(move |provider| plugins.digest_of(provider))
}
