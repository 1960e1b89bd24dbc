//! Which hosts a plugin's requests may go to, before the guards have their say.

use std::fmt;

use url::Url;

use crate::config::HostPattern;

/// What somebody asked for, and what of it the operator grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    asked: Vec<HostPattern>,
    granted: Option<Vec<HostPattern>>,
}

impl Reach {
    /// What was asked for, and the operator's narrower list where there is one.
    #[must_use]
    pub fn new(mut asked: Vec<HostPattern>, granted: Option<Vec<HostPattern>>) -> Self {
        asked.sort();
        asked.dedup();
        Self { asked, granted }
    }

    /// Whether a URL is within it: asked for, and granted.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let has = |patterns: &[HostPattern]| patterns.iter().any(|pattern| pattern.covers(url));
        has(&self.asked) && self.granted.as_deref().is_none_or(has)
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&listed(&self.asked))?;
        self.granted.as_deref().map_or(Ok(()), |granted| write!(f, "; granted: {}", listed(granted)))
    }
}

fn listed(patterns: &[HostPattern]) -> String {
    let words: Vec<String> = patterns.iter().map(ToString::to_string).collect();
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
    }
}
