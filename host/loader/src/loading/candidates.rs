//! Starts the plugin of each entry, unless one runs already that would come out the same.

use std::sync::Arc;

use futures_util::future::join_all;
use jackfield_config::{ListedPlugin, ProviderOptions, Settings};

use crate::{
    declared,
    library::{Lock, verify_entry},
    refusal::Refusal,
    runtime::{LaunchSpec, Plugin},
};

/// What came of one entry.
pub(super) struct Candidate {
    pub(super) listed: ListedPlugin,
    /// The plugin as the configuration has it now.
    pub(super) plugin: Result<Arc<Plugin>, Refusal>,
    /// The plugin that runs for this entry so far.
    pub(super) running: Option<Arc<Plugin>>,
}

/// The plugins of all listed libraries, then those of the declared providers.
pub(super) async fn candidates(
    settings: &Settings,
    lock: Arc<Option<Lock>>,
    running: &[Arc<Plugin>],
) -> Vec<Candidate> {
    let libraries = settings.default_integrations.iter().map(|listed| {
        let lock = lock.clone();
        async { candidate(listed.clone(), library_spec(settings, &listed.text, lock).await, running).await }
    });
    let declared = settings.providers.iter().map(|(id, options)| async {
        let listed = ListedPlugin { text: declared::entry_name(id), line: options.line_of("") };
        candidate(listed, Ok(declared_spec(settings, id, options)), running).await
    });
    let (mut candidates, declared) = (join_all(libraries).await, join_all(declared).await);
    candidates.extend(declared);
    candidates
}

async fn candidate(listed: ListedPlugin, spec: Result<LaunchSpec, Refusal>, running: &[Arc<Plugin>]) -> Candidate {
    let before = running.iter().find(|plugin| plugin.entry() == listed.text).cloned();
    let plugin = match spec {
        Ok(spec) => match running.iter().find(|plugin| plugin.is_same(&spec)) {
            Some(same) => Ok(same.clone()),
            None => Plugin::start(spec).await.map(Arc::new),
        },
        Err(refusal) => Err(refusal),
    };
    Candidate { listed, plugin, running: before }
}

/// The library of an entry, verified. None of it has run yet.
async fn library_spec(settings: &Settings, entry: &str, lock: Arc<Option<Lock>>) -> Result<LaunchSpec, Refusal> {
    let (name, plugins) = (entry.to_owned(), settings.plugins.clone());
    let verified = tokio::task::spawn_blocking(move || {
        LaunchSpec::library(&verify_entry(&name, &plugins, Option::as_ref(&lock))?)
    });
    let spec = verified.await.expect("verifying a file does not panic")?;
    Ok(spec.with_options(settings.options.clone()).configured(entry, settings))
}

fn declared_spec(settings: &Settings, id: &str, options: &ProviderOptions) -> LaunchSpec {
    declared::declared_launch_spec(id, options, &settings.file).configured(&declared::entry_name(id), settings)
}
