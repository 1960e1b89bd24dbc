//! Why a setup may not go on, by name. The words for people are in the server's pages.

use thiserror::Error;

use crate::connect::ConnectRefusal;

/// Why a setup may not go on. The text is the contract's name in the log; [`Refusal::check`] says
/// more exactly which check failed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// The browser has no session.
    #[error("integrations.setup.missing-session-data")]
    NoSession,
    /// The session has none for this provider: it was finished, or never started here.
    #[error("integrations.setup.missing-session-data")]
    NoneUnderWay,
    /// Another request has claimed it.
    #[error("integrations.setup.missing-session-data")]
    Busy,
    /// It was started anew or ended while this request ran.
    #[error("integrations.setup.missing-session-data")]
    StartedAnew,
    /// It belongs to another provider.
    #[error("integrations.setup.invalid-provider")]
    OtherProvider,
    /// Nobody is logged in any more.
    #[error("integrations.setup.invalid-uid")]
    LoggedOut,
    /// Another user started it.
    #[error("integrations.setup.invalid-uid")]
    OtherUser,
    /// The provider's steps, build or options have changed since.
    #[error("integrations.setup.invalid-signature")]
    ProviderChanged,
    /// It is not as it was signed.
    #[error("integrations.setup.invalid-signature")]
    Tampered,
    /// It is older than fifteen minutes.
    #[error("integrations.setup.expired")]
    Expired,
    /// The user is no longer a member of the organization, or the organization is gone.
    #[error("integrations.setup.access-denied")]
    NoMember,
    /// The user may not install any more.
    #[error("integrations.setup.access-denied")]
    NoRight,
    /// The feature is off.
    #[error("integrations.setup.access-denied")]
    FeatureOff,
    /// The connect session was used already.
    #[error("integrations.setup.expired")]
    SessionUsed,
    /// The connect session was ended.
    #[error("integrations.setup.expired")]
    SessionEnded,
    /// The connect session has expired.
    #[error("integrations.setup.expired")]
    SessionExpired,
    /// Another browser holds the connect session, or none does yet.
    #[error("integrations.setup.invalid-uid")]
    OtherBrowser,
    /// The person is somebody else than the connect session is for.
    #[error("integrations.setup.invalid-uid")]
    OtherPerson,
    /// The log-in for the connect session proves nothing.
    #[error("integrations.setup.invalid-uid")]
    LogInFailed,
    /// The connect session is not for this provider.
    #[error("integrations.setup.access-denied")]
    ProviderNotAllowed,
    /// Who has made the connect session may not let people connect any more.
    #[error("integrations.setup.access-denied")]
    MakerGone,
}

impl From<ConnectRefusal> for Refusal {
    fn from(refusal: ConnectRefusal) -> Self {
        match refusal {
            ConnectRefusal::Used => Self::SessionUsed,
            ConnectRefusal::Ended => Self::SessionEnded,
            ConnectRefusal::Expired => Self::SessionExpired,
            ConnectRefusal::OtherBrowser => Self::OtherBrowser,
            ConnectRefusal::OtherPerson => Self::OtherPerson,
            ConnectRefusal::LogInFailed => Self::LogInFailed,
            ConnectRefusal::ProviderNotAllowed => Self::ProviderNotAllowed,
            ConnectRefusal::MakerGone => Self::MakerGone,
        }
    }
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::NoSession,
        Self::NoneUnderWay,
        Self::Busy,
        Self::StartedAnew,
        Self::OtherProvider,
        Self::LoggedOut,
        Self::OtherUser,
        Self::ProviderChanged,
        Self::Tampered,
        Self::Expired,
        Self::NoMember,
        Self::NoRight,
        Self::FeatureOff,
        Self::SessionUsed,
        Self::SessionEnded,
        Self::SessionExpired,
        Self::OtherBrowser,
        Self::OtherPerson,
        Self::LogInFailed,
        Self::ProviderNotAllowed,
        Self::MakerGone,
    ];

    /// The check that failed, as a word that the person can quote and that is in the log.
    #[must_use]
    pub const fn check(self) -> &'static str {
        match self {
            Self::NoSession => "no-session",
            Self::NoneUnderWay => "none-under-way",
            Self::Busy => "busy",
            Self::StartedAnew => "started-anew",
            Self::OtherProvider => "other-provider",
            Self::LoggedOut => "logged-out",
            Self::OtherUser => "other-user",
            Self::ProviderChanged => "provider-changed",
            Self::Tampered => "tampered",
            Self::Expired => "expired",
            Self::NoMember => "no-member",
            Self::NoRight => "no-right",
            Self::FeatureOff => "feature-off",
            Self::SessionUsed => ConnectRefusal::Used.check(),
            Self::SessionEnded => ConnectRefusal::Ended.check(),
            Self::SessionExpired => ConnectRefusal::Expired.check(),
            Self::OtherBrowser => ConnectRefusal::OtherBrowser.check(),
            Self::OtherPerson => ConnectRefusal::OtherPerson.check(),
            Self::LogInFailed => ConnectRefusal::LogInFailed.check(),
            Self::ProviderNotAllowed => ConnectRefusal::ProviderNotAllowed.check(),
            Self::MakerGone => ConnectRefusal::MakerGone.check(),
        }
    }

    /// Logs the refusal.
    pub fn log(self, provider: &str) {
        tracing::info!(
            reason = %self,
            setup.check = self.check(),
            provider.id = provider,
            "a setup may not go on"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_the_contracts_name_in_the_log_and_a_check_of_its_own() {
        let names: Vec<String> = Refusal::ALL.iter().map(|refusal| format!("{refusal} {}", refusal.check())).collect();
        insta::assert_snapshot!(names.join("\n"), @r"
        integrations.setup.missing-session-data no-session
        integrations.setup.missing-session-data none-under-way
        integrations.setup.missing-session-data busy
        integrations.setup.missing-session-data started-anew
        integrations.setup.invalid-provider other-provider
        integrations.setup.invalid-uid logged-out
        integrations.setup.invalid-uid other-user
        integrations.setup.invalid-signature provider-changed
        integrations.setup.invalid-signature tampered
        integrations.setup.expired expired
        integrations.setup.access-denied no-member
        integrations.setup.access-denied no-right
        integrations.setup.access-denied feature-off
        integrations.setup.expired session-used
        integrations.setup.expired session-ended
        integrations.setup.expired session-expired
        integrations.setup.invalid-uid other-browser
        integrations.setup.invalid-uid other-person
        integrations.setup.invalid-uid log-in-failed
        integrations.setup.access-denied provider-not-allowed
        integrations.setup.access-denied maker-gone
        ");
    }
}
