//! How many calls are under way, of each organization: a service that never ends its answers must not keep all of the host for itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::ProxyError;
use jackfield_store::OrganizationId;

/// The calls that are under way. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<Mutex<HashMap<OrganizationId, usize>>>);

/// One of them, as long as this lives.
pub(super) struct UnderWay {
    calls: Calls,
    organization: OrganizationId,
}

impl Calls {
    /// Begins one more, of at most so many.
    pub(super) fn begin(&self, organization: OrganizationId, most: usize) -> Result<UnderWay, ProxyError> {
        let mut calls = self.locked();
        let count = calls.entry(organization).or_default();
        if *count >= most {
            return Err(ProxyError::Busy(most));
        }
        *count += 1;
        drop(calls);
        Ok(UnderWay { calls: self.clone(), organization })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<OrganizationId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut calls = self.calls.locked();
        let Some(count) = calls.get_mut(&self.organization) else { return };
        *count -= 1;
        if *count == 0 {
            calls.remove(&self.organization);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_so_many_calls_under_way_and_takes_no_others_from_others() {
        let calls = Calls::default();
        let [one, other] = ["1", "2"].map(|id| id.parse::<OrganizationId>().expect("an id"));
        let held: Vec<_> = (0..2).map(|_| calls.begin(one, 2).expect("there is room")).collect();
        assert!(matches!(calls.begin(one, 2), Err(ProxyError::Busy(2))));
        assert!(calls.begin(other, 2).is_ok());
        drop(held);
        assert!(calls.begin(one, 1).is_ok());
        assert!(calls.locked().is_empty(), "nothing is left of those that are over");
    }
}
