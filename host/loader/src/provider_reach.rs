//! Which hosts a provider may reach.

use jackfield_config::{HostPattern, ProviderOptions};
use jackfield_outbound::HostAllowList;
use jackfield_plugin_abi::{envelope::CreateOut, reach::asked};

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
    let declared = asked(description, &options.table)?;
    Ok(HostAllowList::new(declared, granted).allowing_named(description.hosts_from_forms))
}
