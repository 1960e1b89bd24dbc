//! Floor 4: lets those who may use an integration call its service's API without seeing its credential. Knows neither axum nor session nor
//! accounts.
//!
//! `target` says where a call goes, and refuses paths that would lead elsewhere; `headers` what is handed on of the caller's and of the
//! service's head, `links` where the latter leads; `body` keeps what has been sent, as far as it is small, so that it can be sent again; `repeat`
//! says when that is safe; `answer` hands the answer on; `watch` tells the log, once for each call; `calls` counts those that are under way.
//! The guards on where anything may be sent are those of `outbound`.

mod answer;
mod body;
mod call;
mod calls;
mod headers;
mod links;
mod repeat;
mod target;
mod watch;

use std::{io, time::Duration};

use bytes::Bytes;
use calls::Calls;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method};
use thiserror::Error;

use crate::{
    audit::{Actor, Audit},
    grants::{GrantError, GrantSelector, Grants},
};
use jackfield_config::{self as config, UrlPrefix};
use jackfield_loader::Plugins;
use jackfield_outbound::OutboundError;
use jackfield_store::{IntegrationId, OrganizationId, Store, StoreError};

/// The proxy of this host. Cheap to clone.
#[derive(Clone)]
pub struct Proxy {
    store: Store,
    plugins: Plugins,
    grants: Grants,
    audit: Audit,
    settings: config::Proxy,
    /// What callers know this host by.
    url_prefix: UrlPrefix,
    calls: Calls,
}

/// One call, as its caller asks for it.
pub struct Asked {
    /// Who asks.
    pub actor: Actor,
    /// The organization that the caller acts for.
    pub organization: OrganizationId,
    /// The integration that is to be used.
    pub integration: IntegrationId,
    /// Which of its grants.
    pub which: GrantSelector,
    /// RFC 9110 section 9.
    pub method: Method,
    /// What stands behind `proxy/`, as it came: not decoded.
    pub path: String,
    /// The query, as it came.
    pub query: Option<String>,
    /// The caller's headers, all of them.
    pub headers: HeaderMap,
    /// The caller's body, where there is one.
    pub body: Option<BoxStream<'static, io::Result<Bytes>>>,
}

/// The body of an answer, as it comes.
pub type Answer = BoxStream<'static, Result<Bytes, OutboundError>>;

/// Why a call is not answered by the service.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// The organization has no such integration.
    #[error("there is no such integration")]
    NotFound,
    /// The integration has no such grant, or none.
    #[error("the integration has no such grant")]
    NoGrant,
    /// The operator has not said where the service's API is.
    #[error("the provider does not say where its API is ([providers.NAME] api-url)")]
    NoApi,
    /// The plugin does not say where the service's API is.
    #[error("the provider's plugin does not say where its API is (`Provider::api`)")]
    NoApiOfPlugin,
    /// What is said of where the service's API is, is no URL for that.
    #[error(
        "where the provider says that its API is, no path can be put behind: a URL has a host, and neither query nor fragment"
    )]
    BadApi,
    /// A header that the provider says each call carries.
    #[error(
        "the provider says that calls carry a header {0:?} (api-headers, or `Provider::api`), which is none that can be sent"
    )]
    Header(String),
    /// The plugin is gone.
    #[error("the provider of the integration is not loaded")]
    NoProvider,
    /// A method that is not for an intermediary, or would send the credential back.
    #[error("the method {0} is not handed on")]
    Method(Method),
    /// Another protocol.
    #[error("connections cannot be upgraded")]
    Upgrade,
    /// A path that could lead elsewhere than it seems to.
    #[error("the path is refused: {0}")]
    Path(&'static str),
    /// A host that the provider has not declared, or the operator has not granted.
    #[error("the host is out of the provider's reach")]
    OutOfReach,
    /// The body is larger than `[proxy] max-request-bytes`.
    #[error("the body is larger than {0} bytes ([proxy] max-request-bytes)")]
    TooLarge(u64),
    /// The token cannot be written into a header.
    #[error("the token is none that a header can hold")]
    Unusable,
    /// The organization has as many calls under way as it may have.
    #[error("the organization has {0} calls under way ([proxy] max-calls)")]
    Busy(usize),
    /// There is no token.
    #[error(transparent)]
    Grant(GrantError),
    /// No answer came.
    #[error("the service cannot be reached: {0}")]
    Outbound(OutboundError),
    /// The caller's own body ended before its end.
    #[error("the body was cut")]
    Cut,
    /// The service answered what cannot be handed on.
    #[error("the service has answered {0}")]
    Answer(u16),
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
    /// A word for programs: stands in the answer and in its header `Jackfield-Error`.
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
            Self::Outbound(OutboundError::Idle(_) | OutboundError::TimedOut(_)) => "timed-out",
            Self::Outbound(_) | Self::Answer(_) => "unreachable",
            Self::Cut => "cut",
            Self::Grant(_) | Self::Store(_) => "internal",
        }
    }
}

impl Proxy {
    /// Builds the room.
    #[must_use]
    pub fn new(
        store: Store,
        plugins: Plugins,
        grants: Grants,
        audit: Audit,
        settings: config::Proxy,
        url_prefix: UrlPrefix,
    ) -> Self {
        Self { store, plugins, grants, audit, settings, url_prefix, calls: Calls::default() }
    }

    /// How long nothing may move.
    const fn idle(&self) -> Duration {
        self.settings.idle_timeout
    }
}
