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
        &[$(Entry { id: $id, text: include_str!(concat!("../../catalogue/", $id, ".toml")) }),*]
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
    jackfield_config::nearest(id, ENTRIES.iter().map(|entry| entry.id))
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::declared::declaration::Declaration;

    #[test]
    fn every_file_of_the_folder_is_an_entry_and_the_entries_are_sorted() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .expect("the catalogue is there")
            .map(|file| file.expect("a file").path().file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        assert_eq!(ENTRIES.iter().map(|entry| entry.id).collect::<Vec<_>>(), files.iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_entry_names_its_documentation_and_is_whole_but_for_the_operators_options() {
        for entry in ENTRIES {
            assert!(entry.text.starts_with("# https://"), "{}: where is it documented?", entry.id);
            assert!(
                !entry.text.lines().any(|line| line.starts_with('[')),
                "{}: it is printed below a header",
                entry.id
            );
            let declaration = Declaration::read(entry.id, &State::new()).unwrap_or_else(|wrong| panic!("{wrong:?}"));
            assert!(declaration.missing.iter().take(2).eq(["client-id", "client-secret"]), "{}", entry.id);
            for missing in &declaration.missing[2..] {
                let is_explained = entry.text.contains(&format!("\n# {missing}: "));
                assert!(is_explained, "{}: what is {missing}?", entry.id);
            }
        }
    }

    #[test]
    fn an_entry_reaches_the_hosts_of_its_token_account_and_revocation_urls() {
        let hosts = |id, options: &serde_json::Value| {
            let options = options.as_object().cloned().unwrap_or_default();
            let mut hosts = Declaration::read(id, &options).map(|declaration| declaration.hosts()).expect("it fits");
            hosts.sort();
            hosts.dedup();
            hosts
        };
        let nothing = serde_json::json!({});
        assert_eq!(hosts("github", &nothing), ["api.github.com:443", "github.com:443"]);
        assert_eq!(
            hosts("google", &nothing),
            ["*.googleapis.com", "oauth2.googleapis.com:443", "openidconnect.googleapis.com:443"]
        );
        assert_eq!(hosts("gitlab", &serde_json::json!({"domain": "git.example:8443"})), ["git.example:8443"]);
        assert!(hosts("zendesk", &nothing).is_empty(), "none before it is known");
        let further = serde_json::json!({"subdomain": "acme", "api-hosts": ["{subdomain}.zdusercontent.com"]});
        assert_eq!(hosts("zendesk", &further), ["acme.zdusercontent.com", "acme.zendesk.com:443"]);
        let waiting = serde_json::json!({"api-hosts": ["{subdomain}.zdusercontent.com"]});
        assert!(hosts("zendesk", &waiting).is_empty(), "nor further ones");
    }

    #[test]
    fn what_could_be_no_call_of_an_api_is_told() {
        let options = serde_json::json!({
            "api-url": "https://me@api.github.com/?x=1", "api-hosts": ["uploads.github.com", "https://raw.github.com"],
            "api-headers": {"x version": "2", "accept": "a\nb", "authorization": "token {access-token}"},
        });
        let diagnostics =
            Declaration::read("github", options.as_object().expect("an object")).err().unwrap_or_default();
        let told: Vec<_> = diagnostics.iter().map(|one| format!("{}: {}", one.key, one.message)).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        api-headers.accept: not a header's value
        api-headers.x version: not a header's name
        api-url: an API's URL has neither query nor fragment, and no user
        api-hosts: not a host
        ");
    }
}
