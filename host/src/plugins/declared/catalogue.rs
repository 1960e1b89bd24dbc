//! Well-known services, written from their public documentation: one file each in `host/catalogue/`, compiled in.

use jackfield_plugin_abi::envelope::State;

/// What is known of one service.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Id of the provider.
    pub id: &'static str,
    /// Its file, as it was written.
    pub text: &'static str,
}

macro_rules! entries {
    ($($id:literal)*) => {
        &[$(Entry { id: $id, text: include_str!(concat!("../../../catalogue/", $id, ".toml")) }),*]
    };
}

/// Sorted by id; a test compares it with the folder.
const ENTRIES: &[Entry] = entries! {
    "airtable" "asana" "auth0" "basecamp" "bitbucket" "box" "calendly" "canva" "clickup" "digitalocean"
    "discord" "docusign" "dropbox" "eventbrite" "facebook" "figma" "fitbit" "freshbooks" "front" "gitea"
    "github" "gitlab" "google" "gusto" "harvest" "heroku" "hubspot" "intercom" "jira" "linear" "linkedin"
    "mailchimp" "microsoft" "miro" "monday" "netlify" "notion" "okta" "pagerduty" "patreon" "pinterest"
    "pipedrive" "reddit" "salesforce" "sentry" "shopify" "spotify" "square" "strava" "stripe" "surveymonkey"
    "todoist" "twitch" "typeform" "vimeo" "webflow" "wordpress" "x" "xero" "yahoo" "zendesk" "zoom"
};

/// All entries, by id.
#[must_use]
pub const fn catalogue() -> &'static [Entry] {
    ENTRIES
}

/// The entry of an id.
#[must_use]
pub fn entry(id: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.id == id)
}

/// The id that was likely meant.
pub(super) fn nearest(id: &str) -> Option<&'static str> {
    let near = ENTRIES.iter().map(|entry| (strsim::damerau_levenshtein(id, entry.id), entry.id));
    near.filter(|(distance, _)| *distance <= 2).min().map(|(_, id)| id)
}

impl Entry {
    /// The entry as a declaration's table.
    ///
    /// # Panics
    /// When the file is not TOML, which a test rules out.
    #[must_use]
    pub fn table(&self) -> State {
        toml::from_str(self.text).unwrap_or_else(|error| panic!("the catalogue's {} is not TOML: {error}", self.id))
    }

    /// What people read.
    #[must_use]
    pub fn name(&self) -> String {
        super::declaration::name(self.id, &State::new())
    }
}
