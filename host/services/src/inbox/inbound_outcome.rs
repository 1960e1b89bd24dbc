//! What comes of a call.

use jackfield_loader::{ChallengeAnswer, WebhookResponse};

/// What comes of a call from a service.
#[derive(Debug)]
pub enum InboundOutcome {
    /// It is answered.
    Answered(InboundAnswer),
    /// There is no such provider or webhook, or it takes no calls.
    NotFound,
    /// A `HEAD`, and the service sends none.
    MethodNotAllowed,
    /// Nobody knows that it is the service's.
    Unverified,
    /// Its body is larger than the operator allows.
    TooLarge,
    /// More come of this provider than the operator allows.
    TooMany,
    /// Too many are under way.
    Busy,
    /// The provider failed. The log has the cause.
    Failed,
}

/// The answer to a call.
#[derive(Debug)]
pub struct InboundAnswer {
    /// Status, type and body.
    pub response: WebhookResponse,
    /// One further header.
    pub header: Option<(String, String)>,
}

impl InboundOutcome {
    /// A response without further headers.
    pub(super) const fn answered(response: WebhookResponse) -> Self {
        Self::Answered(InboundAnswer { response, header: None })
    }

    /// The call is kept, and that is all that the service has to know.
    pub(super) fn kept() -> Self {
        Self::answered(WebhookResponse::new(200))
    }

    /// The answer to a challenge.
    pub(super) fn of_challenge(answer: ChallengeAnswer) -> Self {
        match answer {
            ChallengeAnswer::Text(text) => Self::answered(WebhookResponse::new(200).with_body("text/plain", text)),
            ChallengeAnswer::Empty => Self::kept(),
            ChallengeAnswer::Secret { name, value } => {
                Self::Answered(InboundAnswer { response: WebhookResponse::new(200), header: Some((name, value)) })
            }
        }
    }
}
