//! The identifier of an issuer, and the `iss` of its responses (RFC 9207).

use url::Url;

use super::{issuer::Iss, request::ServiceRequest, shared::Shared};

/// The identifier that the host knows.
pub(super) fn id(shared: &Shared, request: &ServiceRequest<'_>) -> String {
    shared.url(request.id, &format!("https://{}.example/issuer", request.id))
}

/// Adds `iss` to a response of the authorization endpoint.
pub(super) fn say_whose(shared: &Shared, request: &ServiceRequest<'_>, back: &mut Url) {
    let iss = match request.profile.issuer.as_ref().map(|issuer| issuer.iss) {
        None | Some(Iss::Nothing) => return,
        Some(Iss::Own) => id(shared, request),
        Some(Iss::Another) => "https://another.example".to_owned(),
    };
    back.query_pairs_mut().append_pair("iss", &iss);
}
