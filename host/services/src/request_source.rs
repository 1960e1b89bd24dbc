//! From where a request came: what the audit log says of it beside who made it.

use std::net::IpAddr;

use jackfield_store::audit::Entry;

/// Most characters that are kept of what a client says of itself.
const LONGEST_TEXT: usize = 200;

/// Where a request came from. Everything but the address is the client's own word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestSource {
    address: Option<IpAddr>,
    user_agent: Option<String>,
    request_id: Option<String>,
}

impl RequestSource {
    /// A request from an address, with its `User-Agent` and its id in the log. Long texts are cut,
    /// and control characters are left out.
    #[must_use]
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>, request_id: Option<&str>) -> Self {
        Self {
            address: address.map(|address| address.to_canonical()),
            user_agent: user_agent.map(plain).filter(|text| !text.is_empty()),
            request_id: request_id.map(plain),
        }
    }

    /// The address of the client.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What the client calls itself.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }

    /// The same without the address.
    #[must_use]
    pub fn without_address(self) -> Self {
        Self { address: None, ..self }
    }

    /// An entry of the audit log that says where its request came from.
    #[must_use]
    pub fn note(&self, entry: Entry) -> Entry {
        let address = self.address.map(|address| address.to_string());
        let details =
            [("address", address), ("user-agent", self.user_agent.clone()), ("request", self.request_id.clone())];
        let known = details.into_iter().filter_map(|(name, value)| Some((name, value?)));
        known.fold(entry, |entry, (name, value)| entry.detail(name, value))
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jackfield_store::audit::{Action, Actor};

    #[test]
    fn an_entry_has_what_is_known_of_the_source_and_nothing_long_or_unprintable() {
        let long = format!("evil\u{1b}[31m\0{}", "x".repeat(500));
        let mapped = "::ffff:192.0.2.7".parse().ok();
        let entry = RequestSource::new(mapped, Some(&long), Some("ab12")).note(entry());
        assert_eq!(entry.detail_of("address"), Some("192.0.2.7"));
        assert_eq!(entry.detail_of("request"), Some("ab12"));
        let agent = entry.detail_of("user-agent").expect("it is known");
        assert_eq!((agent.len(), &agent[..9]), (LONGEST_TEXT, "evil[31mx"));
        let unknown = RequestSource::default().note(entry_of_nobody());
        assert_eq!(unknown, entry_of_nobody());
    }

    fn entry() -> Entry {
        Entry::new(Action::LogIn, Actor::visitor())
    }

    fn entry_of_nobody() -> Entry {
        Entry::new(Action::LogOut, Actor::host())
    }
}
