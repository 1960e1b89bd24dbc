//! Why a connect session cannot be used, by name. The words for people are in the server's pages.

/// Why a connect session cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// An account was connected already.
    Used,
    /// The program, or a person, has ended it.
    Ended,
    /// Nobody connected an account in time.
    Expired,
    /// Another browser holds it, or this one has not proved yet that it may.
    OtherBrowser,
    /// The person is logged in at the issuer as somebody else than the subject.
    OtherPerson,
    /// The log-in at the issuer proves nothing.
    LogInFailed,
    /// It is not for this provider.
    ProviderNotAllowed,
    /// Who has made it may not let people connect any more.
    MakerGone,
}

impl ConnectRefusal {
    /// The check that failed, as a word that the person can quote and that is in the log.
    #[must_use]
    pub const fn check(self) -> &'static str {
        match self {
            Self::Used => "session-used",
            Self::Ended => "session-ended",
            Self::Expired => "session-expired",
            Self::OtherBrowser => "other-browser",
            Self::OtherPerson => "other-person",
            Self::LogInFailed => "log-in-failed",
            Self::ProviderNotAllowed => "provider-not-allowed",
            Self::MakerGone => "maker-gone",
        }
    }
}
