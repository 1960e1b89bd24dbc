//! What the endpoints of a running stand-in share.

use std::sync::{Arc, Mutex};

use jackfield_stand_in::AuthorizationCodes;
use tokio::sync::{Notify, watch};

use super::{
    behaviour::Behaviour, client::Client, grant::Grant, received::Received, refusal::refused, streams::Streams,
};
use crate::stand_in::{Clock, FaultInjector, TokenRegistry};

pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) behaviour: Mutex<Behaviour>,
    pub(super) codes: AuthorizationCodes<Grant>,
    pub(super) received: watch::Sender<Vec<Received>>,
    /// Opens for [`TokenAnswer::Slow`](super::TokenAnswer::Slow).
    pub(super) gate: Notify,
    pub(super) clock: Arc<Clock>,
    pub(super) tokens: TokenRegistry,
    pub(super) faults: Arc<FaultInjector>,
    pub(super) streams: Streams,
}

impl Shared {
    pub(super) fn new(client: Client, behaviour: Behaviour) -> Self {
        let clock = Arc::new(Clock::default());
        Self {
            client,
            behaviour: Mutex::new(behaviour),
            codes: AuthorizationCodes::default(),
            received: watch::Sender::default(),
            gate: Notify::new(),
            clock: clock.clone(),
            tokens: TokenRegistry::new(clock),
            faults: Arc::new(FaultInjector::new(refused)),
            streams: Streams::default(),
        }
    }
}
