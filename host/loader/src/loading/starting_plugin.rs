//! A plugin that takes longer than the others wait, and how it joins them.

use std::{fmt, sync::Arc};

use jackfield_config::{Diagnostic, Settings};
use jackfield_outbound::Outbound;

use super::{
    assembly::Assembly,
    candidates::{Candidate, StartingCandidate},
    loaded::{Loaded, NotReady},
};
use crate::declared;

/// A plugin that is not ready yet. It is ended when this is dropped.
pub struct StartingPlugin {
    candidate: StartingCandidate,
    settings: Arc<Settings>,
    outbound: Outbound,
    /// The reload that it is started for.
    pub(crate) generation: u64,
}

/// A plugin that has started, or has failed to, since the others were loaded.
pub(crate) struct LatePlugin {
    candidate: Candidate,
    settings: Arc<Settings>,
    outbound: Outbound,
}

impl StartingPlugin {
    pub(super) fn new(candidate: StartingCandidate, settings: &Arc<Settings>, outbound: &Outbound) -> Self {
        Self { candidate, settings: settings.clone(), outbound: outbound.clone(), generation: 0 }
    }

    /// Its entry of `default-integrations`, or `providers.NAME`.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.candidate.listed.text
    }

    /// Waits until it has started or failed: no longer than a start may take.
    pub(crate) async fn finish(self) -> LatePlugin {
        LatePlugin { candidate: self.candidate.finish().await, settings: self.settings, outbound: self.outbound }
    }
}

impl LatePlugin {
    pub(crate) fn entry(&self) -> &str {
        &self.candidate.listed.text
    }

    /// What is loaded with it, and what is wrong with it. The plugin that runs for its entry so far
    /// ends, unless the new one does not load.
    pub(crate) fn join(self, mut loaded: Loaded) -> (Loaded, Vec<Diagnostic>) {
        let Self { candidate, settings, outbound } = self;
        let entry = candidate.listed.text.clone();
        loaded.remove(&entry);
        loaded.not_ready.retain(|other| other.entry != entry);
        let mut assembly = Assembly::new(&settings, &outbound).with(loaded);
        assembly.add(candidate);
        let (mut loaded, diagnostics) = assembly.finish();
        if let Some(first) = diagnostics.first() {
            loaded.not_ready.push(NotReady { entry, error: Some(first.message.clone()) });
        }
        loaded.sort(&entries(&settings));
        (loaded, diagnostics)
    }
}

/// All entries in the operator's order.
fn entries(settings: &Settings) -> Vec<String> {
    let listed = settings.default_integrations.iter().map(|listed| listed.text.clone());
    listed.chain(settings.providers.keys().map(|id| declared::entry_name(id))).collect()
}

impl fmt::Debug for StartingPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StartingPlugin").field(&self.entry()).finish()
    }
}
