//! What is needed to have people log in at an issuer.

use jackfield_config::ConnectIssuer;
use jackfield_oauth2::Issuers;
use jackfield_outbound::Outbound;

/// The host as a client of issuers.
#[derive(Clone)]
pub struct LogInClient {
    /// The issuers of the configuration.
    pub configured: Vec<ConnectIssuer>,
    /// What is known of issuers.
    pub issuers: Issuers,
    /// Sends the requests.
    pub outbound: Outbound,
}
