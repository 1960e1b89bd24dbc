//! What a plugin says of its providers when it is started.

use jackfield_config::ProviderOptions;
use jackfield_plugin_abi::envelope::{CreateOut, NamedProvider};

use super::{error::PluginError, launch_spec::LaunchSpec, running_plugin::RunningPlugin};
use crate::{border::escaped_words, provider_id::is_good_id, refusal::Refusal};

/// A provider as its plugin describes it.
pub(crate) struct DescribedProvider {
    pub(crate) named: NamedProvider,
    /// The operator's, with which it was created.
    pub(crate) options: ProviderOptions,
    /// The description, or why there is no instance.
    pub(crate) description: Result<CreateOut, PluginError>,
}

/// Asks a plugin that was just started what it exports, and creates an instance of each provider.
pub(super) async fn describe(
    running: &mut RunningPlugin,
    spec: &LaunchSpec,
) -> Result<Vec<DescribedProvider>, Refusal> {
    let info = spec.info();
    let failed = |during: &str, error: &PluginError| Refusal::Failed {
        file: info.file.clone(),
        during: during.to_owned(),
        found: escaped_words(&error.to_string()),
    };
    let named = running.providers(&info.name).await;
    let named = named.map_err(|error| Refusal::providers_not_listed(&info.file, &error))?;
    if let Some(bad) = named.iter().find(|provider| !is_good_id(&provider.id)) {
        return Err(Refusal::BadId { file: info.file.clone(), id: escaped_words(&bad.id) });
    }
    let found: Vec<String> = named.iter().map(|provider| provider.id.clone()).collect();
    if let Some(wanted) = spec.known_provider_ids().filter(|wanted| *wanted != found) {
        return Err(Refusal::OtherProviders { file: info.file.clone(), found, wanted: wanted.to_vec() });
    }
    let mut providers = Vec::new();
    for named in named.into_iter().filter(|named| spec.uses(&named.id)) {
        let options = spec.options(&named.id);
        let description = running.create(&info.name, &named.id, &options).await;
        if let Err(error @ PluginError::Transport(_)) = &description {
            return Err(failed(&format!("making its provider `{}`", named.id), error));
        }
        providers.push(DescribedProvider { named, options, description });
    }
    Ok(providers)
}

/// Whether two descriptions say the same. The number of the instance differs from start to start.
pub(super) fn is_same_description(now: &CreateOut, before: &CreateOut) -> bool {
    CreateOut { instance: 0, ..now.clone() } == CreateOut { instance: 0, ..before.clone() }
}
