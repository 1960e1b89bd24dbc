//! Limits the calls in flight of each organization, so that a service whose answers never end does
//! not take the whole host for itself.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::error::ProxyError;
use jackfield_store::OrganizationId;

/// The calls in flight. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<OrganizationId, usize>>>);

/// One call in flight, for as long as this lives.
pub(super) struct InFlightGuard {
    in_flight: InFlight,
    organization: OrganizationId,
}

impl InFlight {
    /// Counts one more call, if the organization has fewer than `limit`.
    pub(super) fn enter(&self, organization: OrganizationId, limit: usize) -> Result<InFlightGuard, ProxyError> {
        let mut counts = self.0.lock();
        let count = counts.entry(organization).or_default();
        if *count >= limit {
            return Err(ProxyError::Busy(limit));
        }
        *count += 1;
        drop(counts);
        Ok(InFlightGuard { in_flight: self.clone(), organization })
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        let mut counts = self.in_flight.0.lock();
        let Some(count) = counts.get_mut(&self.organization) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.organization);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_a_limit_of_its_own() {
        let in_flight = InFlight::default();
        let [one, other] = ["1", "2"].map(|id| id.parse::<OrganizationId>().expect("an id"));
        let held: Vec<_> = (0..2).map(|_| in_flight.enter(one, 2).expect("there is room")).collect();
        assert!(matches!(in_flight.enter(one, 2), Err(ProxyError::Busy(2))));
        assert!(in_flight.enter(other, 2).is_ok());
        drop(held);
        assert!(in_flight.enter(one, 1).is_ok());
        assert!(in_flight.0.lock().is_empty(), "nothing is left of calls that are over");
    }
}
