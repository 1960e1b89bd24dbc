//! Well-known services, written from their public documentation: one file each in `catalogue/`,
//! compiled in.

use jackfield_plugin_abi::envelope::State;

use super::display_name::display_name;

/// One service.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueEntry {
    /// Id of the provider.
    pub id: &'static str,
    /// Its file, as it was written.
    pub text: &'static str,
}

/// Sorted by id. The build script lists the folder.
const ENTRIES: &[CatalogueEntry] = include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// All entries, by id.
#[must_use]
pub const fn catalogue() -> &'static [CatalogueEntry] {
    ENTRIES
}

/// The entry of an id.
#[must_use]
pub fn catalogue_entry(id: &str) -> Option<&'static CatalogueEntry> {
    ENTRIES.iter().find(|entry| entry.id == id)
}

/// The id that the operator likely meant.
pub(super) fn nearest_entry(id: &str) -> Option<&'static str> {
    jackfield_config::nearest(id, ENTRIES.iter().map(|entry| entry.id))
}

/// A table over the entry of that id, if there is one. Each key replaces the whole of the entry's.
/// Who says where the API is does not want to hear it from the service.
pub(super) fn over_catalogue(id: &str, table: &State) -> State {
    let mut merged = catalogue_entry(id).map(CatalogueEntry::table).unwrap_or_default();
    if table.contains_key("api-url") {
        merged.remove("api-location");
    }
    merged.extend(table.clone());
    merged
}

impl CatalogueEntry {
    /// The entry as a declaration's table.
    ///
    /// # Panics
    /// When the file is not TOML. A test reads every file.
    #[must_use]
    pub fn table(&self) -> State {
        toml::from_str(self.text).unwrap_or_else(|error| panic!("the catalogue's {} is not TOML: {error}", self.id))
    }

    /// Its name, as people read it.
    #[must_use]
    pub fn name(&self) -> String {
        display_name(self.id, &self.table())
    }
}
