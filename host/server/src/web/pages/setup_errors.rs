//! What a person reads about each check of a setup that can fail. The names are those of the log.
//! The checked values never appear here.

use jackfield_services::setup::{Refusal, SetupResult};

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

/// A setup ended, and nothing more is known.
const OTHER: SetupError = row("setup", "The connection ended before it was finished.");

#[rustfmt::skip]
static CHECKS: [SetupError; 40] = [
    // What a setup must be before a step runs.
    row("no-session", "You have been logged out. Log in and start again."),
    row("none-under-way", "This connection is already finished, or was not started in this browser."),
    row("busy", "This connection is being worked on in another tab. Wait a moment, or start again."),
    row("started-anew", "This connection was started again, perhaps in another tab. Continue there, or start again."),
    row("other-provider", "This connection belongs to another service. Start again."),
    row("logged-out", "You have been logged out. Log in and start again."),
    row("other-user", "Another person started this connection. Start your own."),
    row("provider-changed", "The connector for this service was updated while the connection was in progress. Start again."),
    row("tampered", "Something changed in this connection while it was in progress, so it was stopped. Start again."),
    row("expired", "This took longer than 15 minutes. Start again."),
    row("no-member", "You are no longer a member of the organization, or the organization is gone."),
    row("no-right", "You can no longer add integrations here. Ask an owner of the organization."),
    row("feature-off", "Adding integrations was turned off for this organization. Your operator can turn it on."),
    row("session-used", "This link was used already: an account is connected. To connect another one, ask for a new link."),
    row("session-ended", "This link was withdrawn. Ask for a new one."),
    row("session-expired", "This link has expired. Ask for a new one."),
    row("other-browser", "This link belongs to another browser: it was opened there first, or this browser has not come from the page that made it. Continue there, or ask for a new link."),
    row("other-person", "This link is for somebody else than you are logged in as. Log in as that person, or ask for a link of your own."),
    row("log-in-failed", "The log-in did not work. Open the link again, and log in once more."),
    row("provider-not-allowed", "This link is not for this service. Ask for one that is."),
    row("maker-gone", "Whoever made this link may not let people connect accounts any more. Ask for a new one."),
    row("other-account", "To reconnect, log in as the account that is connected already, or add the other one as a new integration."),
    row("account-taken", "Another organization on this host has connected this account, and accounts are not shared here. Nothing was saved. Ask your operator."),
    row("plugin", "Jackfield's connector for this service failed. Nothing was saved. If it happens again, give your operator the reference."),
    // What an answer of the service must be.
    row("state-missing", "The service's answer does not belong to this connection. Start again."),
    row("state-used", "The service's answer was used already, or none was expected. Start again."),
    row("state-other", "The service's answer belongs to another connection, perhaps one in another tab. Start again."),
    row("iss-missing", "The service's answer does not say which service it comes from."),
    row("iss-other", "The answer comes from another service than the one that was asked."),
    row("parameter-repeated", "The service sent a contradictory answer."),
    row("code-and-error", "The service sent a contradictory answer."),
    row("no-code", "The service sent you back without giving access. If an administrator has just agreed there, try again."),
    row("no-answer", "The service sent you back without an answer that Jackfield can see. Try again, or ask your operator: the service may be set to answer in another way."),
    row("declined", "Access was denied at the service."),
    row("authorization-endpoint", "Jackfield does not open the address of the service's log-in page. Your operator finds the cause in the log."),
    row("token-endpoint", "The service did not give a token. Nothing was saved. Try again in a minute."),
    row("issuer", "The service cannot be reached, or does not say how to log in there. Try again in a minute."),
    row("id-token", "The service's answer does not prove which account you logged in with. Nothing was saved."),
    row("userinfo", "The service did not confirm which account you logged in with. Nothing was saved."),
    OTHER,
];

impl SetupError {
    /// The check of a name.
    pub(in crate::web) fn named(name: &str) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.name == name)
    }

    /// A setup ended, and nothing more is known.
    pub(in crate::web) const fn other() -> &'static Self {
        &OTHER
    }

    /// Why a setup may not go on.
    pub(in crate::web) fn of_refusal(refusal: Refusal) -> &'static Self {
        Self::named(refusal.check()).unwrap_or(&OTHER)
    }

    /// Why a setup failed.
    pub(in crate::web) fn of_end(ended: &SetupResult) -> &'static Self {
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
