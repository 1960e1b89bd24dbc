//! Looks at one library as a host would, for `plugin check`.

use std::path::Path;

use jackfield_plugin_abi::envelope::{CreateOut, NamedProvider};

use super::{
    LibraryFile, PluginError, PluginInfo, Refusal,
    life::{Introduction, Recipe},
    plugin::Plugin,
    sealed_library::SealedLibrary,
};
use crate::config::{Run, Settings};

/// What can be told of one provider without any options.
#[derive(Debug)]
pub struct Inspection {
    /// The provider.
    pub named: NamedProvider,
    /// Its description, or why it has none.
    pub description: Result<CreateOut, PluginError>,
}

/// Loads one library in a worker and describes its providers with no options at all.
///
/// # Errors
/// Why a host would refuse the library.
pub async fn inspect(path: &Path) -> Result<(PluginInfo, Vec<Inspection>), Refusal> {
    let file = LibraryFile::read(path)?;
    let library = SealedLibrary::of(&file.bytes);
    let library = library.map_err(|error| Refusal::Unreadable { file: path.to_owned(), error })?;
    let info = PluginInfo::of(&file);
    let recipe = Recipe {
        entry: path.display().to_string(),
        plugin: info.name.clone(),
        library,
        run: Run::default(),
        is_sandbox_required: false,
    };
    let plugin = Plugin::start(info.clone(), recipe, &Settings::empty()).await?;
    let inspection = |introduction: &Introduction| Inspection {
        named: introduction.named.clone(),
        description: introduction.described.clone(),
    };
    Ok((info, plugin.providers().iter().map(inspection).collect()))
}
