//! Whose a provider is: the plugin that has made its integrations.

use std::{collections::BTreeMap, fmt};

use crate::library::PluginInfo;

/// A plugin to which a provider belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderOwner {
    /// Name in its manifest; `providers.ID` of a declared provider.
    pub plugin: String,
    /// Id of the trusted key that signed it, if a signature was required.
    pub signer: Option<String>,
}

/// The owners that are known, by id of the provider.
pub type ProviderOwners = BTreeMap<String, ProviderOwner>;

impl ProviderOwner {
    /// The plugin as it is now.
    #[must_use]
    pub fn of(info: &PluginInfo) -> Self {
        Self { plugin: info.name.clone(), signer: info.signer.clone() }
    }

    /// Whether a plugin may have what belongs to this one: the same plugin, and signed by the same
    /// key if this one was signed.
    #[must_use]
    pub fn admits(&self, other: &Self) -> bool {
        self.plugin == other.plugin && (self.signer.is_none() || self.signer == other.signer)
    }
}

impl fmt::Display for ProviderOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.signer {
            Some(signer) => write!(f, "the plugin `{}` signed by {signer}", self.plugin),
            None => write!(f, "the plugin `{}`", self.plugin),
        }
    }
}
