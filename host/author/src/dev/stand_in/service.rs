//! All that the played services share while the stand-in runs.

use std::sync::Arc;

use jackfield_stand_in::{AuthorizationCodes, Clock, TokenRegistry};
use parking_lot::RwLock;

use super::{
    grant::Grant,
    issuers::Issuers,
    message::{PlayedResponse, ServiceRequest},
    token_endpoint,
};
use crate::dev::dev_file::DevFile;

/// The played services.
pub(super) struct Service {
    /// URL of the host, the only place that people are sent back to.
    pub(super) host: String,
    pub(super) show_bodies: bool,
    pub(super) script: RwLock<Arc<DevFile>>,
    pub(super) codes: AuthorizationCodes<Grant>,
    pub(super) issuers: Issuers,
    tokens: TokenRegistry,
}

impl Service {
    pub(super) fn new(host: &str, show_bodies: bool) -> Self {
        Self {
            host: host.to_owned(),
            show_bodies,
            script: RwLock::default(),
            codes: AuthorizationCodes::default(),
            issuers: Issuers::new(),
            tokens: TokenRegistry::new(Arc::new(Clock::default())),
        }
    }

    /// The scripted answer; without one, that of an authorization server or an issuer.
    pub(super) fn answer(&self, request: &ServiceRequest) -> PlayedResponse {
        let script = self.script.read().clone();
        if let Some(scripted) = script.answer(request.method.as_str(), &request.url) {
            return PlayedResponse::scripted(scripted);
        }
        let id_token = |grant: &Grant| self.issuers.id_token(grant, &script);
        token_endpoint::token(&self.codes, &self.tokens, request, &script.token, id_token)
            .or_else(|| token_endpoint::revocation(request))
            .or_else(|| self.issuers.answer(request, &script))
            .unwrap_or_else(|| PlayedResponse::not_scripted(request))
    }
}
