//! Which hosts a provider may reach.

use jackfield_config::{HostPattern, ProviderOptions};
use jackfield_outbound::Reach;
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
) -> Result<Reach, String> {
    let declared = asked(description, &options.table)?;
    Ok(Reach::new(declared, granted).taking_named(description.hosts_from_forms))
}
