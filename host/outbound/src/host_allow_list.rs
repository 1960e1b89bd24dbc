//! Which hosts a plugin's requests may go to. The address guard applies besides.

use std::fmt;

use jackfield_config::HostPattern;
use url::Url;

/// Says in a list that a person may name further hosts.
const NAMED: &str = "those that people name in a form";

/// The hosts that a plugin declares, and which of them the operator grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAllowList {
    declared: Vec<HostPattern>,
    granted: Option<Vec<HostPattern>>,
    allows_named: bool,
}

impl HostAllowList {
    /// What the plugin declares, and the operator's narrower list if there is one.
    #[must_use]
    pub fn new(mut declared: Vec<HostPattern>, granted: Option<Vec<HostPattern>>) -> Self {
        declared.sort();
        declared.dedup();
        Self { declared, granted, allows_named: false }
    }

    /// The same list, to which a person may add the hosts that they name in a form.
    #[must_use]
    pub const fn allowing_named(mut self, allows_named: bool) -> Self {
        self.allows_named = allows_named;
        self
    }

    /// The same list with the hosts that a person has named, if they may name any. The operator's
    /// list still narrows it.
    #[must_use]
    pub fn with_named(&self, named: impl IntoIterator<Item = HostPattern>) -> Self {
        if self.allows_named { self.with_announced(named) } else { self.clone() }
    }

    /// The same list with the hosts that an allowed server announces, as an issuer does with its
    /// endpoints: for requests that the host makes itself. The operator's list still narrows it.
    #[must_use]
    pub fn with_announced(&self, announced: impl IntoIterator<Item = HostPattern>) -> Self {
        let mut list = self.clone();
        list.declared.extend(announced);
        list
    }

    /// Whether the host of a URL is both declared and granted.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        let covers = |patterns: &[HostPattern]| patterns.iter().any(|pattern| pattern.matches(url));
        covers(&self.declared) && self.grants(url)
    }

    /// Whether the operator lets the plugin use the host of a URL, declared or not.
    #[must_use]
    pub fn grants(&self, url: &Url) -> bool {
        self.granted.as_deref().is_none_or(|granted| granted.iter().any(|pattern| pattern.matches(url)))
    }
}

impl fmt::Display for HostAllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.allows_named, self.declared.is_empty()) {
            (true, true) => f.write_str(NAMED)?,
            (true, false) => write!(f, "{}, and {NAMED}", listed_without_https_port(&self.declared))?,
            (false, _) => f.write_str(&listed_without_https_port(&self.declared))?,
        }
        self.granted.as_deref().map_or(Ok(()), |granted| write!(f, "; granted: {}", listed(granted)))
    }
}

fn listed(patterns: &[HostPattern]) -> String {
    comma_separated(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Without the port of https: for a reader, a host and the same host at port 443 are one.
fn listed_without_https_port(patterns: &[HostPattern]) -> String {
    let plain = |pattern: &HostPattern| pattern.to_string().trim_end_matches(":443").to_owned();
    let mut words: Vec<String> = patterns.iter().map(plain).collect();
    words.dedup();
    comma_separated(&words)
}

fn comma_separated(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<HostPattern> {
        list.iter().map(|text| text.parse().expect("the test's own pattern")).collect()
    }

    #[test]
    fn only_hosts_that_are_declared_and_granted_are_allowed() {
        let url = |text: &str| text.parse::<Url>().expect("a URL");
        let declared = patterns(&["slack.com", "*.slack.com"]);
        let open = HostAllowList::new(declared.clone(), None);
        assert!(open.allows(&url("https://slack.com/api")) && open.allows(&url("https://files.slack.com/")));
        assert!(!open.allows(&url("https://evil.example/")));
        let narrowed = HostAllowList::new(declared, Some(patterns(&["slack.com", "evil.example"])));
        assert!(narrowed.allows(&url("https://slack.com/api")));
        for refused in ["https://files.slack.com/", "https://evil.example/"] {
            assert!(!narrowed.allows(&url(refused)), "{refused}");
        }
        assert!(!HostAllowList::default().allows(&url("https://slack.com/")), "nothing declared, nothing allowed");
        assert_eq!(narrowed.to_string(), "slack.com, *.slack.com; granted: slack.com, evil.example");
        let ports =
            HostAllowList::new(patterns(&["slack.com", "slack.com:443", "git.example:8443", "a.example:443"]), None);
        assert_eq!(ports.to_string(), "a.example, git.example:8443, slack.com", "the port of https is left out");
    }

    #[test]
    fn hosts_that_people_name_are_allowed_if_they_may_and_the_operator_grants_them() {
        let url = "https://git.example/api".parse().expect("a URL");
        let named = || patterns(&["git.example"]);
        let closed = HostAllowList::new(patterns(&["gitlab.com"]), None);
        assert!(!closed.with_named(named()).allows(&url), "the plugin does not say that people may name any");
        let open = closed.clone().allowing_named(true);
        assert!(open.with_named(named()).allows(&url));
        assert!(!open.allows(&url), "nobody else has named it");
        let narrowed =
            HostAllowList::new(patterns(&["gitlab.com"]), Some(patterns(&["*.own.example"]))).allowing_named(true);
        assert!(!narrowed.with_named(named()).allows(&url), "the operator grants others only");
        assert!(closed.with_announced(named()).allows(&url), "a server's word does not wait for people's");
        assert!(!narrowed.with_announced(named()).allows(&url), "but for the operator's");
        assert_eq!(narrowed.to_string(), "gitlab.com, and those that people name in a form; granted: *.own.example");
        assert_eq!(HostAllowList::default().allowing_named(true).to_string(), "those that people name in a form");
    }
}
