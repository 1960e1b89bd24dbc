//! Why a request was not sent, or its answer not accepted.

use std::{error::Error as _, io, time::Duration};

use thiserror::Error;

use super::OverBudget;

/// Why a request was not sent, or its answer not accepted. Never holds a query, a header or a
/// body.
#[derive(Debug, Error)]
pub enum OutboundError {
    /// The URL is not absolute, or neither http nor https.
    #[error("not an absolute http or https URL")]
    Url,
    /// The plugin does not declare the host, or the operator has not granted it.
    #[error(
        "{0} is not among the plugin's allowed hosts: `jackfield plugin list` shows what it declares, [plugins.NAME] hosts what it is granted"
    )]
    HostNotAllowed(String),
    /// Plain http to a host that the operator does not allow by name or address.
    #[error("plain http to {0} is refused: use https, or allow the host under [http] allow-private")]
    PlainHttp(String),
    /// An address that is not on the public internet.
    #[error("{0} is, or resolves to, a private address: allow it under [http] allow-private if it is yours")]
    PrivateAddress(String),
    /// The work that the request is for has cost all that it may. Nothing was sent.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// The name does not resolve.
    #[error("{0} cannot be resolved: {1}")]
    Resolve(String, io::Error),
    /// The whole exchange took longer than `[http] timeout`.
    #[error("no complete answer within {0:?} ([http] timeout)")]
    TimedOut(Duration),
    /// Nothing moved in either direction.
    #[error("nothing was sent or received for {0:?} ([proxy] idle-timeout)")]
    Idle(Duration),
    /// The answer is larger than `[http] max-response-bytes`.
    #[error("the answer is larger than {0} bytes ([http] max-response-bytes)")]
    TooLarge(usize),
    /// The content coding of the answer cannot be taken off.
    #[error("the answer's body is {0}")]
    Coding(String),
    /// There was no connection, so nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The other side refused the connection, so nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// TLS failed before anything was sent: the certificate is not accepted, or no version is
    /// shared.
    #[error("{0}")]
    Tls(String),
    /// The service has said over HTTP/2 that it does not act on the request (RFC 9113 section 8.7).
    #[error("{0}")]
    NotActedOn(String),
    /// Connection, TLS or protocol failed after something may have been sent.
    #[error("{0}")]
    Connection(String),
    /// Bytes of an answer have come, and they are no whole head of an HTTP answer. So the other
    /// side may have acted on the request.
    #[error("the answer is not HTTP that can be read: {0}")]
    Unreadable(String),
}

impl OutboundError {
    /// Whether the other side took too long.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Idle(_))
    }

    /// Whether it is certain that the other side has not seen the request.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        !matches!(
            self,
            Self::TimedOut(_)
                | Self::Idle(_)
                | Self::TooLarge(_)
                | Self::Coding(_)
                | Self::Connection(_)
                | Self::Unreadable(_)
        )
    }
}

impl From<&reqwest::Error> for OutboundError {
    /// Keeps the chain of causes, but not the error itself: it shows the URL, whose query may hold
    /// a code.
    fn from(error: &reqwest::Error) -> Self {
        Self::of(error.source(), error.is_connect())
    }
}

impl From<&hyper_util::client::legacy::Error> for OutboundError {
    fn from(error: &hyper_util::client::legacy::Error) -> Self {
        Self::of(Some(error), error.is_connect())
    }
}

impl From<&hyper::Error> for OutboundError {
    /// What ends an answer within its body.
    fn from(error: &hyper::Error) -> Self {
        Self::of(Some(error), false)
    }
}

impl OutboundError {
    /// `is_connect`: there was no connection.
    fn of(mut cause: Option<&(dyn std::error::Error + 'static)>, is_connect: bool) -> Self {
        let mut words = Vec::new();
        let (mut is_refused, mut is_tls, mut is_answered, mut is_not_acted_on) = (false, false, false, false);
        while let Some(error) = cause {
            words.push(error.to_string());
            if let Some(error) = error.downcast_ref::<io::Error>() {
                is_refused |= error.kind() == io::ErrorKind::ConnectionRefused;
                is_tls |= is_of_tls(error);
            }
            if let Some(error) = error.downcast_ref::<hyper::Error>() {
                is_answered |= error.is_parse() || error.is_parse_too_large();
            }
            if let Some(error) = error.downcast_ref::<h2::Error>() {
                is_not_acted_on |= says_not_acted_on(error);
                is_answered |= error.is_library();
            }
            cause = error.source();
        }
        if words.is_empty() {
            words.push("the request could not be sent".to_owned());
        }
        // A library repeats the words of a cause in its own.
        words.dedup();
        let words = words.join(": ");
        match is_connect {
            true if is_refused => Self::Refused(words),
            true if is_tls => Self::Tls(words),
            true => Self::Unreachable(words),
            false if is_not_acted_on => Self::NotActedOn(words),
            false if is_answered => Self::Unreadable(words),
            false => Self::Connection(words),
        }
    }
}

/// Whether the service has refused the stream, or has ended its connection before it.
fn says_not_acted_on(error: &h2::Error) -> bool {
    let is_clean_end = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    error.is_remote() && (is_clean_end || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// Whether TLS failed. An error of the system may hold another one.
fn is_of_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>() || inner.downcast_ref::<io::Error>().is_some_and(is_of_tls))
}
