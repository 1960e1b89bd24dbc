//! Decides which plugin has which provider, over all that is listed and before any of it gets an
//! option. Pure.
//!
//! A provider's options, stored tokens and identities go to the plugin that has its id. So an id
//! is not a library's to choose: it belongs to the plugin that the operator named, that made the
//! integrations there are, or whose name it is.

use std::path::{Path, PathBuf};

use crate::{
    dispute::Dispute,
    provider_owner::{ProviderOwner, ProviderOwners},
};

/// A plugin and the providers that it says it has.
pub(super) struct Claim {
    /// Entry of `default-integrations`, or `providers.ID`.
    pub(super) entry: String,
    pub(super) file: PathBuf,
    pub(super) owner: ProviderOwner,
    pub(super) ids: Vec<String>,
    /// The providers that the operator lets it have.
    pub(super) named: Option<Vec<String>>,
    /// The providers that the lock lets it have.
    pub(super) locked: Option<Vec<String>>,
    pub(super) is_declared: bool,
}

/// What the operator's file and folders say of an id.
pub(super) trait Directory {
    /// The entry that names the id as its provider.
    fn named_entry(&self, id: &str) -> Option<String>;
    /// The library that is found under the id as a name, if there is a table of options for it.
    fn library_of_table(&self, id: &str) -> Option<PathBuf>;
}

/// For each claim the providers that it may not have.
pub(super) fn disputes(claims: &[Claim], owners: &ProviderOwners, directory: &impl Directory) -> Vec<Vec<Dispute>> {
    let disputes = |(at, claim): (usize, &Claim)| {
        let rivals = || claims.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, rival)| rival);
        claim.ids.iter().filter_map(|id| claim.dispute(id, rivals(), owners.get(id), directory)).collect()
    };
    claims.iter().enumerate().map(disputes).collect()
}

impl Claim {
    fn dispute<'a>(
        &self,
        id: &str,
        rivals: impl Iterator<Item = &'a Self>,
        owner: Option<&ProviderOwner>,
        directory: &impl Directory,
    ) -> Option<Dispute> {
        let (id, entry) = (id.to_owned(), self.entry.clone());
        if self.locked.as_ref().is_some_and(|locked| !locked.contains(&id)) {
            return Some(Dispute::NotLocked { id });
        }
        let is_named = self.is_declared || self.named.as_ref().is_some_and(|named| named.contains(&id));
        if !is_named && self.named.is_some() {
            return Some(Dispute::NotNamed { id, entry });
        }
        if !is_named && let Some(entry) = directory.named_entry(&id).filter(|named| *named != self.entry) {
            return Some(Dispute::NamedElsewhere { id, entry });
        }
        // What the operator declares is the operator's own.
        if !self.is_declared
            && let Some(owner) = owner.filter(|owner| !owner.admits(&self.owner))
        {
            return Some(Dispute::Owned { id, entry, owner: owner.to_string(), found: self.owner.to_string() });
        }
        let rank = self.rank(&id, owner);
        let mut rivals = rivals.filter(|rival| rival.ids.contains(&id));
        if let Some(rival) = rivals.find(|rival| rival.rank(&id, owner) >= rank) {
            return Some(Dispute::Twice { id, first: rival.file.clone() });
        }
        let library = directory.library_of_table(&id).filter(|library| rank == Rank::Free && *library != self.file);
        library.map(|library| Dispute::TableOfAnother { id, entry, library })
    }

    fn rank(&self, id: &str, owner: Option<&ProviderOwner>) -> Rank {
        let is_named = self.named.as_ref().is_some_and(|named| named.iter().any(|named| named == id));
        if self.is_declared || is_named {
            Rank::Named
        } else if owner.is_some_and(|owner| owner.admits(&self.owner)) {
            Rank::Owner
        } else if own_name(&self.entry) == id.replace('_', "-") {
            Rank::OwnName
        } else {
            Rank::Free
        }
    }
}

/// How good a claim is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Nothing speaks for it but the library.
    Free,
    /// The operator lists the library under this name.
    OwnName,
    /// It has made the integrations that there are.
    Owner,
    /// The operator says so.
    Named,
}

/// `slack` of `slack`, `libslack.so` and `/opt/libslack.so`.
fn own_name(entry: &str) -> String {
    let stem = Path::new(entry).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = stem.strip_suffix(std::env::consts::DLL_SUFFIX).unwrap_or(&stem);
    stem.strip_prefix(std::env::consts::DLL_PREFIX).unwrap_or(stem).replace('_', "-")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct File {
        named: Option<(&'static str, &'static str)>,
        library: Option<(&'static str, &'static str)>,
    }

    impl Directory for File {
        fn named_entry(&self, id: &str) -> Option<String> {
            self.named.filter(|(named, _)| *named == id).map(|(_, entry)| entry.to_owned())
        }
        fn library_of_table(&self, id: &str) -> Option<PathBuf> {
            self.library.filter(|(table, _)| *table == id).map(|(_, library)| library.into())
        }
    }

    fn claim(entry: &str, plugin: &str, ids: &[&str]) -> Claim {
        Claim {
            entry: entry.to_owned(),
            file: PathBuf::from(format!("lib{entry}.so")),
            owner: ProviderOwner { plugin: plugin.to_owned(), signer: None },
            ids: ids.iter().map(ToString::to_string).collect(),
            named: None,
            locked: None,
            is_declared: entry.starts_with("providers."),
        }
    }

    fn named(entry: &str, ids: &[&str], named: &[&str]) -> Claim {
        Claim { named: Some(named.iter().map(ToString::to_string).collect()), ..claim(entry, entry, ids) }
    }

    /// The entries that are refused, with the reason.
    fn refused(claims: &[Claim], owners: &ProviderOwners, file: &File) -> Vec<String> {
        let disputes = disputes(claims, owners, file);
        let said = |(claim, disputes): (&Claim, Vec<Dispute>)| {
            disputes.into_iter().map(|dispute| format!("{}: {dispute}", claim.entry)).collect::<Vec<_>>()
        };
        claims.iter().zip(disputes).flat_map(said).collect()
    }

    fn owned(id: &str, plugin: &str, signer: Option<&str>) -> ProviderOwners {
        let owner = ProviderOwner { plugin: plugin.to_owned(), signer: signer.map(str::to_owned) };
        BTreeMap::from([(id.to_owned(), owner)])
    }

    #[test]
    fn a_plugin_keeps_the_provider_of_its_own_name() {
        let claims = [claim("claims", "c", &["claims", "slack"]), claim("slack", "s", &["slack"])];
        let none = ProviderOwners::default();
        let first = ["claims: two providers with the id `slack`: in libslack.so and here"];
        assert_eq!(refused(&claims, &none, &File::default()), first);
        let both = [claim("one", "a", &["acme"]), claim("two", "b", &["acme"])];
        assert_eq!(refused(&both, &none, &File::default()).len(), 2, "nothing says whose it is");
        let declared = [claim("providers.acme", "providers.acme", &["acme"]), claim("acme", "a", &["acme"])];
        assert_eq!(refused(&declared, &none, &File::default()).len(), 1, "the operator's own is used");
    }

    #[test]
    fn what_the_operator_names_decides() {
        let file = File { named: Some(("slack", "fork")), library: None };
        let claims = [named("fork", &["slack"], &["slack"]), claim("slack", "s", &["slack"])];
        let told = ["slack: has the provider `slack`, which [plugins.fork] providers names"];
        assert_eq!(refused(&claims, &ProviderOwners::default(), &file), told);
        let more = [named("fork", &["slack", "acme"], &["slack"])];
        let told = ["fork: has the provider `acme`, which [plugins.fork] providers does not name"];
        assert_eq!(refused(&more, &ProviderOwners::default(), &file), told);
    }

    #[test]
    fn a_provider_stays_with_the_plugin_that_made_its_integrations() {
        let new = [claim("second", "second-by-mallory", &["shared"])];
        let owners = owned("shared", "first-by-acme", None);
        let told = "second: has the provider `shared`, which belongs to the plugin `first-by-acme`: \
                    found the plugin `second-by-mallory`";
        assert_eq!(refused(&new, &owners, &File::default()), [told]);
        let unsigned = [claim("first", "first", &["shared"])];
        let signed = owned("shared", "first", Some("k1"));
        assert_eq!(refused(&unsigned, &signed, &File::default()).len(), 1, "it was signed once");
        assert_eq!(refused(&unsigned, &owned("shared", "first", None), &File::default()), Vec::<String>::new());
    }

    #[test]
    fn a_table_waits_for_the_library_of_its_name() {
        let file = File { named: None, library: Some(("slack", "/plugins/libslack.so")) };
        let claims = [claim("claims", "c", &["claims", "slack"])];
        let told =
            ["claims: has the provider `slack`, and the table [slack] is probably meant for /plugins/libslack.so"];
        assert_eq!(refused(&claims, &ProviderOwners::default(), &file), told);
        assert_eq!(refused(&[named("claims", &["slack"], &["slack"])], &ProviderOwners::default(), &file).len(), 0);
    }

    #[test]
    fn own_names_are_those_of_files() {
        for (entry, name) in [("slack", "slack"), ("/opt/libgithub_app.so", "github-app"), ("./acme.so", "acme")] {
            assert_eq!(own_name(entry), name);
        }
    }
}
