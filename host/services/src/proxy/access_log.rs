//! One log line for each call, written when the call is over, also when the caller goes away.
//!
//! It says who used which integration and how much, and never the path or the query: both can hold
//! a secret.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::Span;

use super::{error::ProxyError, request_body::RequestBody};
use jackfield_limits::InFlightGuard;
use jackfield_outbound::OutboundError;
use jackfield_store::{IntegrationId, OrganizationId};

/// What is known of a call so far. Logged on drop.
pub(super) struct AccessLogEntry {
    organization: OrganizationId,
    integration: IntegrationId,
    provider: String,
    body: RequestBody,
    started: Instant,
    span: Span,
    attempts: u32,
    status: u16,
    received: u64,
    error: Option<String>,
    length: Option<u64>,
    is_complete: bool,
    _in_flight: InFlightGuard<OrganizationId>,
}

impl AccessLogEntry {
    pub(super) fn new(
        (organization, integration): (OrganizationId, IntegrationId),
        provider: String,
        body: &RequestBody,
        in_flight: InFlightGuard<OrganizationId>,
    ) -> Self {
        Self {
            organization,
            integration,
            provider,
            body: body.clone(),
            started: Instant::now(),
            span: Span::current(),
            attempts: 0,
            status: 0,
            received: 0,
            error: None,
            length: None,
            is_complete: false,
            _in_flight: in_flight,
        }
    }

    pub(super) const fn begin_attempt(&mut self) {
        self.attempts += 1;
    }

    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// `length` is that of the body, if known: a caller that has read so much reads no further.
    pub(super) const fn answered(&mut self, status: u16, length: Option<u64>) {
        self.status = status;
        self.length = length;
        self.is_complete = matches!(length, Some(0));
    }

    pub(super) fn failed(&mut self, error: &ProxyError) {
        self.error = Some(error.to_string());
    }

    pub(super) fn cut(&mut self, error: &OutboundError) {
        self.error = Some(error.to_string());
    }

    pub(super) fn not_read(&mut self, idle_timeout: Duration) {
        self.error = Some(format!("the caller has taken nothing for {idle_timeout:?} ([proxy] idle-timeout)"));
    }

    /// A piece of the body has gone to the caller; `None` is its end.
    pub(super) fn forwarded(&mut self, chunk: Option<&Bytes>) {
        match chunk {
            Some(chunk) => {
                self.received += chunk.len() as u64;
                self.is_complete = self.length == Some(self.received);
            }
            None => self.is_complete = true,
        }
    }
}

impl Drop for AccessLogEntry {
    fn drop(&mut self) {
        if !self.is_complete {
            self.body.abort();
        }
        let _entered = self.span.enter();
        let gone = || "the caller has gone away".to_owned();
        let error = self.error.take().or_else(|| (!self.is_complete).then(gone));
        tracing::info!(
            provider.id = self.provider,
            organization.id = %self.organization,
            integration.id = %self.integration,
            http.response.status_code = self.status,
            proxy.requests = self.attempts,
            proxy.sent_bytes = self.body.length(),
            proxy.received_bytes = self.received,
            http.client.request.duration = self.started.elapsed().as_secs_f64(),
            error,
            "an integration was used"
        );
    }
}
