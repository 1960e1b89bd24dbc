//! What a person reads about each check of a setup that can fail. The names are those of the log. The checked values never
//! appear here.

use jackfield_services::setup::{Ended, Refusal};

/// A check, by its name in the log, and what failed in words.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct SetupError {
    /// Its name.
    pub(in crate::web) name: &'static str,
    /// What failed.
    pub(in crate::web) words: &'static str,
}

const fn row(name: &'static str, words: &'static str) -> SetupError {
    SetupError { name, words }
}

/// The end of a set-up about which no more is known than that it came.
const OTHER: SetupError = row("set-up", "The set-up ended without an integration.");

#[rustfmt::skip]
static CHECKS: [SetupError; 30] = [
    // What a set-up must be for anything to be made of a request: the pipeline's.
    row("no-session", "This browser is not logged in here, or its session is over, so no set-up can be under way in it. Log in, and start it again."),
    row("none-under-way", "This set-up was already finished, or was never started in this browser. Start it again from here."),
    row("busy", "This set-up is being worked on by another request. Wait a moment, or start it again from here."),
    row("started-anew", "This set-up was started again meanwhile, perhaps in another tab. Go on there, or start it again from here."),
    row("other-provider", "This set-up belongs to another service. Start it again from here."),
    row("logged-out", "You were logged out while this set-up was under way. Log in, and start it again."),
    row("other-user", "This set-up was started by another person than the one who is logged in now. Start your own from here."),
    row("provider-changed", "This set-up does not fit the integration any more; it may have been updated meanwhile. Start it again from here."),
    row("tampered", "This set-up is not as it was left. Start it again from here."),
    row("expired", "This set-up has expired: it may take fifteen minutes. Start it again from here."),
    row("no-member", "You are no longer a member of the organization that this set-up was for, or the organization is gone."),
    row("no-right", "You may not set up integrations here any more. Ask an owner of the organization."),
    row("feature-off", "Setting up integrations was turned off for this organization. Ask whoever runs this host."),
    row("other-account", "Log in there as the account that is connected already."),
    row("plugin", "What connects this service here has failed. Whoever runs this host finds the cause in its log."),
    // What an answer of the service must be: the room oauth2's.
    row("state-missing", "The answer carried no state, so nothing shows that it belongs to this set-up."),
    row("state-used", "No answer was expected at this point, or this one was used already."),
    row("state-other", "The answer belongs to another set-up: one that was started again since, in another tab, for another organization, or by somebody else."),
    row("iss-missing", "The answer does not say which service it comes from, and this service always does."),
    row("iss-other", "The answer comes from another service than the one that was asked."),
    row("parameter-repeated", "The answer names something twice."),
    row("code-and-error", "The answer is a yes and a no at once."),
    row("no-code", "The answer is neither a yes nor a no."),
    row("declined", "The service, or the person there, said no."),
    row("authorization-endpoint", "The service's log-in page is at an address that nobody is sent to from here. Whoever runs this host finds the cause in its log."),
    row("token-endpoint", "The service did not exchange its code for a token. Nothing was stored."),
    row("issuer", "The service does not say of itself what is needed to log in there, or cannot be reached."),
    row("id-token", "The service said who had logged in, but what it said could not be verified. Nothing was stored."),
    row("userinfo", "The service did not say who had logged in, or spoke of somebody else. Nothing was stored."),
    OTHER,
];

impl SetupError {
    /// The check of a name.
    pub(in crate::web) fn named(name: &str) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.name == name)
    }

    /// Why a set-up may not go on.
    pub(in crate::web) fn of_refusal(refusal: Refusal) -> &'static Self {
        Self::named(refusal.check()).unwrap_or(&OTHER)
    }

    /// Why a set-up has ended badly.
    pub(in crate::web) fn of_end(ended: &Ended) -> &'static Self {
        ended.failed.and_then(Self::named).unwrap_or(&OTHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_words_of_its_own_and_no_name_is_used_twice() {
        for refusal in Refusal::ALL {
            assert_eq!(SetupError::of_refusal(refusal).name, refusal.check());
        }
        let names: std::collections::BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
    }
}
