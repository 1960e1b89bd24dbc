//! Where a person gets who does not go on with a setup.

use jackfield_services::connect::ConnectSessionId;

/// Where a person gets who does not go on.
pub(super) fn way_out(organization: &str, connect: Option<ConnectSessionId>) -> String {
    match connect {
        Some(session) => format!("/connect/sessions/{session}/closed/"),
        None => format!("/organizations/{organization}/integrations/"),
    }
}
