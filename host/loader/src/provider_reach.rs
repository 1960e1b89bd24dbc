//! Which hosts a provider may reach.

use jackfield_config::{HostPattern, ProviderOptions};
use jackfield_outbound::HostAllowList;
use jackfield_plugin_abi::{envelope::CreateOut, host_pattern::requested_hosts};

/// The hosts that a provider may reach: those that it declares, or the fewer that the operator
/// grants.
///
/// # Errors
/// A declared host that is not one.
pub fn reach_of(
    description: &CreateOut,
    options: &ProviderOptions,
    granted: Option<Vec<HostPattern>>,
) -> Result<HostAllowList, String> {
    let declared = requested_hosts(description, &options.table)?;
    Ok(HostAllowList::new(declared, granted).allowing_named(description.allows_user_supplied_hosts))
}
