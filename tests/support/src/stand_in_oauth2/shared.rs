//! What the endpoints of a running stand-in share.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use jackfield_stand_in::AuthorizationCodes;

use super::{grant::Grant, issuing::Issuing, responses, service_profile::ServiceProfile};
use crate::stand_in::{Clock, FaultInjector, TokenRegistry};

pub(super) struct Shared {
    pub(super) address: SocketAddr,
    pub(super) issuing: Issuing,
    /// Methods and URLs of all requests, without queries.
    pub(super) requests: Mutex<Vec<String>>,
    pub(super) profiles: Mutex<BTreeMap<String, ServiceProfile>>,
    pub(super) faults: BTreeMap<String, Arc<FaultInjector>>,
    pub(super) codes: AuthorizationCodes<Grant>,
    /// Code verifiers, as they came.
    pub(super) verifiers: Mutex<Vec<String>>,
    pub(super) clock: Arc<Clock>,
    /// The owners are the services.
    pub(super) tokens: TokenRegistry,
}

impl Shared {
    pub(super) fn new(address: SocketAddr, profiles: BTreeMap<String, ServiceProfile>) -> Self {
        let clock = Arc::new(Clock::default());
        let faults = |id: &String| (id.clone(), Arc::new(FaultInjector::new(responses::refused_with)));
        Self {
            address,
            issuing: Issuing::default(),
            requests: Mutex::default(),
            faults: profiles.keys().map(faults).collect(),
            profiles: Mutex::new(profiles),
            codes: AuthorizationCodes::default(),
            verifiers: Mutex::default(),
            tokens: TokenRegistry::new(clock.clone()),
            clock,
        }
    }

    /// The URL here that plays a URL of a service.
    pub(super) fn url(&self, id: &str, url: &str) -> String {
        url.replace("https://", &format!("http://{}/{id}/", self.address))
    }
}
