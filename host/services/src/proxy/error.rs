//! Why the service does not answer a call, in words for the log and with a code for programs.

use http::Method;
use thiserror::Error;

use crate::grants::GrantError;
use jackfield_outbound::OutboundError;
use jackfield_store::StoreError;

/// Why the service does not answer a call.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// The organization has no such integration.
    #[error("there is no such integration")]
    NotFound,
    /// The integration has no such grant, or none at all.
    #[error("the integration has no such grant")]
    NoGrant,
    /// A declared provider has no `api-url`.
    #[error("the provider has no API URL ([providers.NAME] api-url)")]
    NoApi,
    /// The provider's plugin does not implement `Provider::api`.
    #[error("the provider's plugin gives no API URL (`Provider::api`)")]
    NoApiOfPlugin,
    /// The API URL of the provider cannot be the base of a call's URL.
    #[error("the provider's API URL is not usable: it needs a host, and no query or fragment")]
    BadApi,
    /// A header that the provider adds to each call is not a valid header.
    #[error("the provider adds the header {0:?} (api-headers, or `Provider::api`), which is not a valid header")]
    Header(String),
    /// The provider is not loaded, or not configured.
    #[error("the integration's provider is not loaded")]
    NoProvider,
    /// The method is TRACE or CONNECT.
    #[error("the proxy does not forward the method {0}")]
    Method(Method),
    /// The caller asks for another protocol.
    #[error("the proxy does not upgrade connections")]
    Upgrade,
    /// The path could lead elsewhere than it seems to.
    #[error("the path is refused: {0}")]
    Path(&'static str),
    /// The provider has not declared this host, or the operator has not granted it.
    #[error("the host is out of the provider's reach")]
    OutOfReach,
    /// The body is larger than `[proxy] max-request-bytes`.
    #[error("the body is larger than {0} bytes ([proxy] max-request-bytes)")]
    TooLarge(u64),
    /// The token holds characters that no header value may hold.
    #[error("the token cannot be sent in a header")]
    Unusable,
    /// The organization has reached its limit of calls in flight.
    #[error("the organization has {0} calls in flight ([proxy] max-calls)")]
    Busy(usize),
    /// There is no token.
    #[error(transparent)]
    Grant(GrantError),
    /// The service did not answer.
    #[error("the service cannot be reached: {0}")]
    Outbound(OutboundError),
    /// The caller's connection was cut before the body was complete.
    #[error("the body was cut off")]
    BodyCut,
    /// The service answered with a status that the proxy cannot forward.
    #[error("the service answered {0}")]
    UnexpectedStatus(u16),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<GrantError> for ProxyError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::NotFound => Self::NoGrant,
            other => Self::Grant(other),
        }
    }
}

impl From<OutboundError> for ProxyError {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::HostNotAllowed(_) => Self::OutOfReach,
            other => Self::Outbound(other),
        }
    }
}

impl ProxyError {
    /// A word for programs: it is in the answer and in its header `Jackfield-Error`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::NoGrant => "no-grant",
            Self::NoApi | Self::NoApiOfPlugin => "no-api",
            Self::BadApi | Self::Header(_) => "misconfigured",
            Self::Unusable => "unusable",
            Self::Busy(_) => "busy",
            Self::NoProvider => "no-provider",
            Self::Method(_) => "method",
            Self::Upgrade => "upgrade",
            Self::Path(_) => "path",
            Self::OutOfReach => "out-of-reach",
            Self::TooLarge(_) => "too-large",
            Self::Grant(GrantError::NeedsReauthentication(_)) => "needs-reauthentication",
            Self::Grant(GrantError::Unavailable { .. }) => "unavailable",
            Self::Grant(GrantError::Store(StoreError::Seal(_))) => "unreadable",
            Self::Grant(GrantError::Store(StoreError::Unavailable(_))) | Self::Store(StoreError::Unavailable(_)) => {
                "database-unavailable"
            }
            Self::Outbound(OutboundError::Idle(_) | OutboundError::TimedOut(_)) => "timed-out",
            Self::Outbound(_) | Self::UnexpectedStatus(_) => "unreachable",
            Self::BodyCut => "cut",
            Self::Grant(_) | Self::Store(_) => "internal",
        }
    }

    /// The error type of RFC 9209 section 2.3, where it says more than [`ProxyError::code`] does.
    #[must_use]
    pub const fn proxy_status(&self) -> Option<&'static str> {
        let Self::Outbound(error) = self else { return None };
        match error {
            OutboundError::Resolve(..) => Some("dns_error"),
            OutboundError::PrivateAddress(_) => Some("destination_ip_prohibited"),
            OutboundError::Refused(_) => Some("connection_refused"),
            OutboundError::Tls(_) => Some("tls_protocol_error"),
            OutboundError::Connection(_) => Some("connection_terminated"),
            OutboundError::Unreadable(_) => Some("http_protocol_error"),
            OutboundError::Unreachable(_) => Some("destination_unavailable"),
            _ => None,
        }
    }
}
