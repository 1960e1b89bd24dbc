//! The one place where the use of an integration is told: a line in the log for each call, when all of it is through, also where the caller has
//! gone away. It says who was used how much, and never where exactly or with what: a path can hold as much of a secret as a query can.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::Span;

use super::{ProxyError, body::Body, calls::UnderWay};
use jackfield_outbound::OutboundError;
use jackfield_store::{IntegrationId, OrganizationId};

/// What is known of a call so far; told when it is dropped, also where the caller goes away.
pub(super) struct Watch {
    organization: OrganizationId,
    integration: IntegrationId,
    provider: String,
    body: Body,
    since: Instant,
    span: Span,
    requests: u32,
    status: u16,
    received: u64,
    error: Option<String>,
    length: Option<u64>,
    is_whole: bool,
    _under_way: UnderWay,
}

impl Watch {
    pub(super) fn new(
        (organization, integration): (OrganizationId, IntegrationId),
        provider: &str,
        body: &Body,
        under_way: UnderWay,
    ) -> Self {
        Self {
            organization,
            integration,
            provider: provider.to_owned(),
            body: body.clone(),
            since: Instant::now(),
            span: Span::current(),
            requests: 0,
            status: 0,
            received: 0,
            error: None,
            length: None,
            is_whole: false,
            _under_way: under_way,
        }
    }

    pub(super) const fn sent_once_more(&mut self) {
        self.requests += 1;
    }

    pub(super) const fn requests(&self) -> u32 {
        self.requests
    }

    /// `length` is that of the body, where it is known: who has that much reads no further.
    pub(super) const fn answered(&mut self, status: u16, length: Option<u64>) {
        (self.status, self.length) = (status, length);
        self.is_whole = matches!(length, Some(0));
    }

    pub(super) fn failed(&mut self, error: &ProxyError) {
        self.error = Some(error.to_string());
    }

    pub(super) fn cut(&mut self, error: &OutboundError) {
        self.error = Some(error.to_string());
    }

    pub(super) fn unread(&mut self, patience: Duration) {
        self.error = Some(format!("the caller has taken nothing for {patience:?} ([proxy] idle-timeout)"));
    }

    /// `None` is the end.
    pub(super) fn handed_on(&mut self, chunk: Option<&Bytes>) {
        match chunk {
            Some(chunk) => {
                self.received += chunk.len() as u64;
                self.is_whole = self.length == Some(self.received);
            }
            None => self.is_whole = true,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_whole {
            self.body.give_up();
        }
        let _entered = self.span.enter();
        let given_up = "the caller has gone".to_owned();
        let error = self.error.take().or_else(|| (!self.is_whole).then_some(given_up));
        tracing::info!(
            provider.id = self.provider,
            organization.id = %self.organization,
            integration.id = %self.integration,
            proxy.status = self.status,
            proxy.requests = self.requests,
            proxy.sent_bytes = self.body.length(),
            proxy.received_bytes = self.received,
            proxy.milliseconds = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            error,
            "an integration was used"
        );
    }
}
