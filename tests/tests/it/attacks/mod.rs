//! The attacks on OAuth 2.0 and setups that an auditor asks about, each in a test of its name, end
//! to end. A test shows that the attack fails, that nothing was sent to a provider or stored, and
//! that the same succeeds without the attack. Attacks on the proxy belong in `proxy`, hostile
//! plugins in `plugins`.
//!
//! The test of server-side request forgery by DNS rebinding is in `host/outbound`: a host
//! cannot be given the attacker's resolver.

mod browser;
mod callback;
mod connect_links;
mod cross_site;
pub(crate) mod evil_site;
mod injection;
mod leak;
mod mix_up;
mod pkce;
mod ssrf;
mod strangers;

/// What the user reads after an invalid response.
const INVALID: &str = "An error occurred while validating your request.";
const INTERNAL: &str = "an internal error occurred";

/// A parameter of a URL; empty if there is none.
pub(crate) fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).expect("a URL that the host or a provider has sent");
    url.query_pairs().find(|(key, _)| key == name).map_or_else(String::new, |(_, value)| value.into_owned())
}
