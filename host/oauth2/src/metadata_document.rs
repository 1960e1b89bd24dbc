//! Reads the document of an issuer's metadata (RFC 8414 section 2, OpenID Connect Discovery 1.0
//! section 3), member by member.
//!
//! Documents have members that the host does not use, and servers get their types wrong. So a
//! member of the wrong type is as good as missing: it is an error only where it is needed.

use jackfield_plugin_abi::envelope::State;
use serde_json::Value;
use url::Url;

/// The members that are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) revocation_endpoint: Option<String>,
    pub(super) userinfo_endpoint: Option<String>,
    pub(super) jwks_uri: Option<String>,
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    pub(super) id_token_signing_alg_values_supported: Option<Vec<String>>,
    /// RFC 9207 section 3.
    pub(super) authorization_response_iss_parameter_supported: bool,
    /// Members that are not of their type, and so are as good as missing.
    pub(super) malformed: Vec<String>,
    /// Whether they come from the document of OpenID Connect, so that there is no other to look
    /// into.
    pub(super) is_openid: bool,
}

impl Metadata {
    /// Reads a document.
    pub(super) fn read(document: &State) -> Self {
        let url = |name| text(document, name).filter(|text| Url::parse(text).is_ok());
        Self {
            issuer: text(document, "issuer").unwrap_or_default(),
            authorization_endpoint: url("authorization_endpoint"),
            token_endpoint: url("token_endpoint"),
            revocation_endpoint: url("revocation_endpoint"),
            userinfo_endpoint: url("userinfo_endpoint"),
            jwks_uri: url("jwks_uri"),
            token_endpoint_auth_methods_supported: list(document, "token_endpoint_auth_methods_supported"),
            id_token_signing_alg_values_supported: list(document, "id_token_signing_alg_values_supported"),
            authorization_response_iss_parameter_supported: document
                .get("authorization_response_iss_parameter_supported")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            malformed: document.iter().filter(|(name, value)| !is_well_formed(name, value)).map(name_of).collect(),
            is_openid: false,
        }
    }

    /// Whether there is such a member, of the wrong type.
    pub(super) fn is_malformed(&self, name: &str) -> bool {
        self.malformed.iter().any(|malformed| malformed == name)
    }
}

fn text(document: &State, name: &str) -> Option<String> {
    document.get(name)?.as_str().map(str::to_owned)
}

fn list(document: &State, name: &str) -> Option<Vec<String>> {
    document.get(name)?.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

/// Whether a member is of the type that the registry of such members gives it, as far as its name
/// says which one.
fn is_well_formed(name: &str, value: &Value) -> bool {
    match name {
        "issuer" => value.is_string(),
        "authorization_response_iss_parameter_supported" => value.is_boolean(),
        _ if name.ends_with("_endpoint") || name.ends_with("_uri") => {
            value.as_str().is_some_and(|url| Url::parse(url).is_ok())
        }
        _ if name.ends_with("_parameter_supported") || name.starts_with("require") => value.is_boolean(),
        _ if name.ends_with("_methods_supported") || name.ends_with("_values_supported") => is_list(value),
        // Some are lists, some are answers to yes or no.
        _ if name.ends_with("_supported") => value.is_boolean() || is_list(value),
        _ => true,
    }
}

fn is_list(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

/// A name as the log has it.
fn name_of((name, _): (&String, &Value)) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: &Value) -> Metadata {
        Metadata::read(document.as_object().expect("an object"))
    }

    #[test]
    fn a_member_of_the_wrong_type_is_passed_over_and_named() {
        let good = json!({
            "issuer": "https://a.example", "token_endpoint": "https://a.example/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "authorization_response_iss_parameter_supported": true, "scopes_supported": ["openid"],
            "claims_parameter_supported": false, "anything": {"else": [1]}, "op_policy_uri": "https://a.example/p",
        });
        let wanted = read(&good);
        assert_eq!((wanted.malformed.len(), wanted.token_endpoint.as_deref()), (0, Some("https://a.example/token")));
        for (name, value) in [
            ("scopes_supported", json!("openid")),
            ("code_challenge_methods_supported", json!(null)),
            ("id_token_signing_alg_values_supported", json!(["RS256", 7])),
            ("revocation_endpoint", json!(7)),
            ("userinfo_endpoint", json!("")),
            ("jwks_uri", json!("/keys")),
            ("op_policy_uri", json!([])),
            ("claims_parameter_supported", json!("yes")),
            ("require_request_uri_registration", json!("no")),
        ] {
            let mut document = good.clone();
            document[name] = value;
            assert_eq!(read(&document), Metadata { malformed: vec![name.to_owned()], ..wanted.clone() }, "{name}");
        }
        for (name, value) in [("token_endpoint", json!(7)), ("issuer", json!(["https://a.example"]))] {
            let mut document = good.clone();
            document[name] = value;
            assert!(read(&document).is_malformed(name), "{name}");
        }
    }
}
