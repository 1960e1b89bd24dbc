//! Every error that a request may be answered with: its status, its code and its words, in one
//! table.
//!
//! `host/API.md` describes the codes, and so does the page that the `type` of a problem leads to.
//! Tests hold both to this table.

use axum::http::StatusCode;

/// Declares the problems. Each has a status, a code for programs, a title that stays the same, and
/// words for people.
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $status:literal $code:literal, $title:literal, $detail:literal;)*) => {
        /// What keeps a request from being carried out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::web) enum Problem {
            $($(#[$doc])* $name,)*
        }

        impl Problem {
            /// All of them, by status.
            pub(in crate::web) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(in crate::web) const fn status(self) -> StatusCode {
                let number: u16 = match self { $(Self::$name => $status,)* };
                match StatusCode::from_u16(number) {
                    Ok(status) => status,
                    Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
                }
            }

            /// The word that programs tell it by.
            pub(in crate::web) const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The same for every problem with this code.
            pub(in crate::web) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What people read, where an error has no words of its own.
            pub(in crate::web) const fn detail(self) -> &'static str {
                match self { $(Self::$name => $detail,)* }
            }
        }
    };
}

problems! {
    /// The request itself is wrong.
    BadRequest: 400 "bad-request", "Bad request",
        "The request cannot be read.";
    /// A text that neither the database nor a log may hold.
    BadText: 400 "bad-request", "Bad request",
        "A text holds a control character, such as NUL or a line end. Remove it.";
    /// A path that servers read differently.
    BadPath: 400 "path", "Path refused",
        "The path holds something that servers read differently, so it is refused.";
    /// The caller's own body ended before its end.
    BodyCut: 400 "cut", "Body cut off",
        "The body was cut off.";
    /// Nobody is logged in.
    NotLoggedIn: 401 "unauthenticated", "Not authenticated",
        "Authentication credentials were not provided.";
    /// A bearer token that opens nothing.
    InvalidToken: 401 "unauthenticated", "Not authenticated",
        "Invalid token.";
    /// The scope is missing.
    MissingScope: 403 "forbidden", "Forbidden",
        "You do not have permission to perform this action.";
    /// Another site makes a browser ask.
    CrossSite: 403 "forbidden", "Forbidden",
        "This request came from another site and was not carried out.";
    /// A host that the provider may not contact.
    HostNotAllowed: 403 "out-of-reach", "Host not allowed",
        "The provider may not reach this host.";
    /// No such thing, or none that the person may know of.
    NotFound: 404 "not-found", "Not found",
        "The requested resource does not exist.";
    /// The integration is there, the grant is not.
    NoGrant: 404 "no-grant", "No such grant",
        "The integration has no such grant.";
    /// Nobody has said where the API of the provider is.
    NoApi: 404 "no-api", "API unknown",
        "The operator has not set the API URL of this provider (api-url).";
    /// The provider is gone.
    NoProvider: 404 "no-provider", "Provider not loaded",
        "The integration's provider is not loaded, or not configured.";
    /// The URL does not take this method.
    MethodNotAllowed: 405 "method", "Method not allowed",
        "The method is not allowed here.";
    /// The provider gives the integration no further token.
    NeedsReauthentication: 409 "needs-reauthentication", "Re-authentication needed",
        "The integration needs re-authentication: somebody must connect it again on its page.";
    /// An endpoint that stands in the operator's file.
    EndpointConfigured: 409 "configured", "Endpoint of the configuration",
        "This endpoint stands in the configuration of the host, and is changed there.";
    /// Nothing is delivered to it.
    EndpointDisabled: 409 "endpoint-disabled", "Endpoint disabled",
        "This endpoint is disabled. Enable it first.";
    /// The organization has as many as it can.
    TooManyEndpoints: 409 "too-many-endpoints", "Too many endpoints",
        "The organization has as many endpoints as this host allows. Remove one first.";
    /// The body is too large.
    TooLarge: 413 "too-large", "Body too large",
        "The body is larger than this host accepts.";
    /// The body has another type than the URL takes.
    UnsupportedMediaType: 415 "unsupported-media-type", "Unsupported media type",
        "The body has a content type that is not accepted here.";
    /// A key that was used for something else.
    KeyReused: 422 "idempotency-key-reused", "Idempotency key reused",
        "This Idempotency-Key was used with another body.";
    /// The organization has too many calls open.
    Busy: 429 "busy", "Too many calls",
        "The organization has as many calls in flight as this host allows.";
    /// The organization has too many connect sessions open.
    TooManyConnectSessions: 429 "too-many-connect-sessions", "Too many connect sessions",
        "The organization has as many open connect sessions as this host allows.";
    /// The person starts too many setups.
    TooManySetups: 429 "too-many-setups", "Too many setups",
        "Too many unfinished connections. Try again in a few minutes.";
    /// The host failed.
    Internal: 500 "internal", "Internal error",
        "An internal error occurred.";
    /// What is stored cannot be decrypted. Everything else can.
    Unreadable: 500 "unreadable", "Stored value unreadable",
        "The stored value cannot be decrypted. Setting it up again helps that; the log has the cause.";
    /// The operator, or the author of a plugin, made a mistake.
    Misconfigured: 500 "misconfigured", "Provider misconfigured",
        "What the provider says of its API cannot be used.";
    /// No header can hold the stored token.
    UnusableToken: 500 "unusable", "Token unusable",
        "The service's token cannot be sent in a header. Reconnect the integration to get another.";
    /// Another protocol.
    UpgradeRefused: 501 "upgrade", "Upgrade not supported",
        "The proxy does not upgrade connections, so it cannot forward WebSockets.";
    /// The service cannot be reached.
    Unreachable: 502 "unreachable", "Service unreachable",
        "The service cannot be reached.";
    /// Too much is under way.
    Overloaded: 503 "overloaded", "Overloaded",
        "As many of these calls are under way as this host allows. Try again in a moment.";
    /// As many requests are under way as the host takes.
    TooManyRequests: 503 "overloaded", "Overloaded",
        "This host answers as many requests as it can at once. Try again in a moment.";
    /// The host has begun, and cannot serve yet.
    Starting: 503 "starting", "Starting",
        "Jackfield is starting. Try again in a moment.";
    /// The provider gives no token at present.
    Unavailable: 503 "unavailable", "No token at present",
        "The provider gives no token at present.";
    /// The database cannot be used.
    DatabaseUnavailable: 503 "database-unavailable", "Database unavailable",
        "The database cannot be used at present. Try again in a moment.";
    /// The answer to a commit was lost.
    OutcomeUnknown: 503 "outcome-unknown", "Outcome unknown",
        "The database was lost while it stored this. It may be stored or not: look before you repeat it.";
    /// Nothing came in time.
    TimedOut: 504 "timed-out", "Timed out",
        "No answer came in time.";
}

impl Problem {
    /// The problem of a status that another part of the server answered with.
    pub(in crate::web) fn of_status(status: StatusCode) -> Self {
        let fallback = if status.is_client_error() { Self::BadRequest } else { Self::Internal };
        // Another part of the server knows nothing of idempotency keys: to it, 422 is a wrong body.
        let mut known = Self::ALL.iter().copied().filter(|problem| *problem != Self::KeyReused);
        known.find(|problem| problem.status() == status).unwrap_or(fallback)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_reference_of_the_api_has_every_problem_with_its_status() {
        let reference = include_str!("../../../../API.md");
        for problem in Problem::ALL.iter().filter(|problem| **problem != Problem::TooManySetups) {
            let row = format!("| {} | `{}` |", problem.status().as_u16(), problem.code());
            assert!(reference.contains(&row), "host/API.md leaves out {row}");
        }
    }

    #[test]
    fn a_code_has_one_status_and_one_title() {
        let mut known = HashMap::new();
        for problem in Problem::ALL {
            let said = (problem.status(), problem.title());
            assert_eq!(*known.entry(problem.code()).or_insert(said), said, "{problem:?}");
        }
    }

    #[test]
    fn a_status_of_another_part_of_the_server_has_its_problem() {
        for (status, problem) in [
            (400, Problem::BadRequest),
            (405, Problem::MethodNotAllowed),
            (413, Problem::TooLarge),
            (415, Problem::UnsupportedMediaType),
            (422, Problem::BadRequest),
            (500, Problem::Internal),
            (503, Problem::Overloaded),
            (504, Problem::TimedOut),
        ] {
            assert_eq!(Problem::of_status(StatusCode::from_u16(status).expect("a status")), problem);
        }
    }
}
