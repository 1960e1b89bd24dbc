//! How a declared provider is started.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jackfield_config::ProviderOptions;
use jackfield_plugin_abi::envelope::{NamedProvider, State};

use super::{catalogue::over_catalogue, declared_plugin::DeclaredPlugin, display_name::display_name};
use crate::{
    library::{PluginInfo, digest},
    runtime::LaunchSpec,
};

/// The options of a declared provider that hold secrets.
const SECRETS: [&str; 3] = ["client-secret", "private-key", "signing-secret"];

/// What a declared provider is called where a plugin has its entry of `default-integrations`.
pub(crate) fn entry_name(id: &str) -> String {
    format!("providers.{id}")
}

/// How to start a declared provider, from the operator's table for it or an empty one. `file` is
/// the configuration that has the table.
#[must_use]
pub fn declared_launch_spec(id: &str, options: &ProviderOptions, file: &Path) -> LaunchSpec {
    let table = over_catalogue(id, &options.table);
    let named = NamedProvider {
        id: id.to_owned(),
        name: display_name(id, &table),
        options: ["client-id", "client-secret"].map(str::to_owned).to_vec(),
    };
    let transport = move || Arc::new(DeclaredPlugin::new(named.clone())) as _;
    LaunchSpec::declared(entry_name(id), info(id, table, &options.secrets(), file), transport)
        .with_options(BTreeMap::from([(id.to_owned(), options.clone())]))
}

/// What stands for the library of a declared provider. People see the digest, so it is one of the
/// declaration without its secrets: somebody who knows the rest could guess a short one.
fn info(id: &str, mut table: State, secrets: &[String], file: &Path) -> PluginInfo {
    for secret in SECRETS {
        table.remove(secret);
    }
    let escaped = |text: &str| serde_json::Value::from(text).to_string();
    let shown = serde_json::Value::Object(table).to_string();
    let shown = secrets.iter().fold(shown, |shown, secret| shown.replace(&escaped(secret), "\"\""));
    PluginInfo {
        name: entry_name(id),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        abi: "declared".to_owned(),
        file: file.to_owned(),
        digest: digest(shown.as_bytes()),
        signer: None,
    }
}
