//! Which origins an organization allows to embed the hosted pages, and to be returned to.

use jackfield_store::{OrganizationId, StoreResult, Tx};

/// The allowed origins of an organization. There is no setting for them yet, so there are none.
pub(super) fn allowed_origins(_: &mut Tx<'_>, _: OrganizationId) -> StoreResult<Vec<String>> {
    Ok(Vec::new())
}
