//! The attacks on OAuth 2.0 and set-ups that an auditor asks about, each a test by its name: the attacker is played end to end, through the real
//! binary, real plugins and real HTTP. Each shows that the attack fails, that nothing was sent to a provider or stored, and, so that it can
//! fail, that the same goes through without the attack.
//!
//! Server-side request forgery by DNS rebinding is played in `host/outbound`: no binary can be given the attacker's resolver.

mod browser;
mod callback;
mod cross_site;
mod evil_site;
mod injection;
mod leak;
mod mix_up;
mod pkce;
mod ssrf;

/// What the person reads of an answer that is not to be believed.
const INVALID: &str = "An error occurred while validating your request.";
const INTERNAL: &str = "an internal error occurred";

/// A parameter of a URL; empty where it has none.
fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).expect("a URL that the host or a provider has sent");
    url.query_pairs().find(|(key, _)| key == name).map_or_else(String::new, |(_, value)| value.into_owned())
}
