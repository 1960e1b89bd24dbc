//! Which hosts a plugin's requests may go to, before the guards have their say.

use std::fmt;

use url::Url;

use jackfield_config::HostPattern;

/// What people name, in words.
const NAMED: &str = "those that people name in a form";

/// What somebody asked for, and what of it the operator grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    asked: Vec<HostPattern>,
    granted: Option<Vec<HostPattern>>,
    takes_named: bool,
}

impl Reach {
    /// What was asked for, and the operator's narrower list where there is one.
    #[must_use]
    pub fn new(mut asked: Vec<HostPattern>, granted: Option<Vec<HostPattern>>) -> Self {
        asked.sort();
        asked.dedup();
        Self { asked, granted, takes_named: false }
    }

    /// The same, but that people may name further hosts, each for what they are about.
    #[must_use]
    pub const fn taking_named(mut self, takes_named: bool) -> Self {
        self.takes_named = takes_named;
        self
    }

    /// The same and what somebody has named, where that may be. What the operator grants narrows it as before.
    #[must_use]
    pub fn and_named(&self, named: impl IntoIterator<Item = HostPattern>) -> Self {
        let mut reach = self.clone();
        if reach.takes_named {
            reach.asked.extend(named);
        }
        reach
    }

    /// The same and what a server that is within it leads to, as an issuer to its endpoints: for requests of the host's own. What the
    /// operator grants narrows it as before.
    #[must_use]
    pub fn and_announced(&self, announced: impl IntoIterator<Item = HostPattern>) -> Self {
        let mut reach = self.clone();
        reach.asked.extend(announced);
        reach
    }

    /// Whether a URL is within it: asked for, and granted.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let has = |patterns: &[HostPattern]| patterns.iter().any(|pattern| pattern.matches(url));
        has(&self.asked) && self.granted.as_deref().is_none_or(has)
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.takes_named, self.asked.is_empty()) {
            (true, true) => f.write_str(NAMED)?,
            (true, false) => write!(f, "{}, and {NAMED}", plainly_listed(&self.asked))?,
            (false, _) => f.write_str(&plainly_listed(&self.asked))?,
        }
        self.granted.as_deref().map_or(Ok(()), |granted| write!(f, "; granted: {}", listed(granted)))
    }
}

fn listed(patterns: &[HostPattern]) -> String {
    in_a_row(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Without the port of https, which nobody writes: a host and the same host at that port are one to who reads.
fn plainly_listed(patterns: &[HostPattern]) -> String {
    let plain = |pattern: &HostPattern| pattern.to_string().trim_end_matches(":443").to_owned();
    let mut words: Vec<String> = patterns.iter().map(plain).collect();
    words.dedup();
    in_a_row(&words)
}

fn in_a_row(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Vec<HostPattern> {
        list.iter().map(|text| text.parse().expect("the test's own pattern")).collect()
    }

    #[test]
    fn only_what_is_asked_for_and_granted_is_within_reach() {
        let url = |text: &str| text.parse::<Url>().expect("a URL");
        let asked = patterns(&["slack.com", "*.slack.com"]);
        let open = Reach::new(asked.clone(), None);
        assert!(open.covers(&url("https://slack.com/api")) && open.covers(&url("https://files.slack.com/")));
        assert!(!open.covers(&url("https://evil.example/")));
        let narrowed = Reach::new(asked, Some(patterns(&["slack.com", "evil.example"])));
        assert!(narrowed.covers(&url("https://slack.com/api")));
        for refused in ["https://files.slack.com/", "https://evil.example/"] {
            assert!(!narrowed.covers(&url(refused)), "{refused}");
        }
        assert!(!Reach::default().covers(&url("https://slack.com/")), "nothing asked for, nothing reached");
        assert_eq!(narrowed.to_string(), "slack.com, *.slack.com; granted: slack.com, evil.example");
        let ports = Reach::new(patterns(&["slack.com", "slack.com:443", "git.example:8443", "a.example:443"]), None);
        assert_eq!(ports.to_string(), "a.example, git.example:8443, slack.com", "that of https is not said");
    }

    #[test]
    fn what_people_name_is_within_reach_where_it_may_be_and_is_granted() {
        let url = "https://git.example/api".parse().expect("a URL");
        let named = || patterns(&["git.example"]);
        let closed = Reach::new(patterns(&["gitlab.com"]), None);
        assert!(!closed.and_named(named()).covers(&url), "the plugin does not say that people may name any");
        let open = closed.clone().taking_named(true);
        assert!(open.and_named(named()).covers(&url));
        assert!(!open.covers(&url), "nobody else has named it");
        let narrowed = Reach::new(patterns(&["gitlab.com"]), Some(patterns(&["*.own.example"]))).taking_named(true);
        assert!(!narrowed.and_named(named()).covers(&url), "the operator grants others only");
        assert!(closed.and_announced(named()).covers(&url), "a server's word does not wait for people's");
        assert!(!narrowed.and_announced(named()).covers(&url), "but for the operator's");
        assert_eq!(narrowed.to_string(), "gitlab.com, and those that people name in a form; granted: *.own.example");
        assert_eq!(Reach::default().taking_named(true).to_string(), "those that people name in a form");
    }
}
