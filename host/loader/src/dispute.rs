//! Why a provider is not the plugin's that has it.

use std::path::PathBuf;

use thiserror::Error;

/// Whose a provider is, when a plugin has it that may not have it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Dispute {
    /// Another listed plugin has it too, and nothing says whose it is.
    #[error("two providers with the id `{id}`: in {} and here", .first.display())]
    Twice {
        /// The id.
        id: String,
        /// The other plugin.
        first: PathBuf,
    },
    /// The operator has named the providers of this plugin, and not this one.
    #[error("has the provider `{id}`, which [plugins.{entry}] providers does not name")]
    NotNamed {
        /// The id.
        id: String,
        /// The plugin's entry.
        entry: String,
    },
    /// The operator has named it as another plugin's.
    #[error("has the provider `{id}`, which [plugins.{entry}] providers names")]
    NamedElsewhere {
        /// The id.
        id: String,
        /// The entry that names it.
        entry: String,
    },
    /// Its integrations were made by another plugin.
    #[error("has the provider `{id}`, which belongs to {owner}: found {found}")]
    Owned {
        /// The id.
        id: String,
        /// The entry that wants it now.
        entry: String,
        /// Whose it is.
        owner: String,
        /// Who wants it.
        found: String,
    },
    /// Its table of options is meant for another library, which is not listed.
    #[error("has the provider `{id}`, and the table [{id}] is probably meant for {}", .library.display())]
    TableOfAnother {
        /// The id.
        id: String,
        /// The entry that wants it.
        entry: String,
        /// The library of that name.
        library: PathBuf,
    },
    /// The lock does not have it.
    #[error("has the provider `{id}`, which the plugin in jackfield.lock does not have")]
    NotLocked {
        /// The id.
        id: String,
    },
}

impl Dispute {
    /// The id of the provider.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Twice { id, .. }
            | Self::NotNamed { id, .. }
            | Self::NamedElsewhere { id, .. }
            | Self::Owned { id, .. }
            | Self::TableOfAnother { id, .. }
            | Self::NotLocked { id } => id,
        }
    }

    /// What the operator can do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Twice { id, .. } => {
                format!(
                    "list only one of the two, or name the one that may have it: [plugins.ENTRY] providers = [\"{id}\"]"
                )
            }
            Self::NotNamed { id, .. } => format!("add \"{id}\" there if you want it from this plugin"),
            Self::NamedElsewhere { id, .. } => {
                format!("list only one of the two, or name \"{id}\" for this plugin instead")
            }
            Self::Owned { id, entry, .. } => format!(
                "if the new plugin is to get the stored tokens of its integrations: `jackfield plugin adopt {id} {entry}`"
            ),
            Self::TableOfAnother { id, entry, .. } => format!(
                "list that library, or name this one as the provider's: [plugins.{entry:?}] providers = [\"{id}\"]"
            ),
            Self::NotLocked { .. } => "if you trust it, accept it with `jackfield plugin lock`".to_owned(),
        }
    }
}
