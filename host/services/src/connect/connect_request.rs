//! What a program asks for when it makes a connect session, and whether that is valid. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::Duration;
use url::Url;

use super::connect_error::ConnectError;
use crate::accounts::token_hash;
use jackfield_store::{
    IntegrationId,
    connect_sessions::{ConnectProof, ConnectTerms},
    hex,
    subject::{Subject, Tags},
};

/// How long a session lives where nobody says how long. The longest life without a log-in.
pub(super) const LIFETIME: Duration = Duration::minutes(30);
/// The longest life of a session whose person logs in.
const LONGEST_LIFETIME: Duration = Duration::days(7);

const LONGEST_TEXT: usize = 255;
const MOST_OPTIONS: usize = 50;
const LONGEST_OPTION: usize = 4096;
const LONGEST_URL: usize = 2048;
const NONCE_LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

/// What a connect session is to be. A key that is not known is refused: a mistyped `providers`
/// would let the customer connect anything. It has no `Debug`, which would show secrets.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ConnectSessionIn {
    /// Ids of the providers that may be connected; absent: all.
    pub providers: Option<Vec<String>>,
    /// Id of the integration to connect again.
    pub integration: Option<String>,
    /// The program's own customer.
    pub subject: Option<SubjectIn>,
    /// What the program wants to find the integration by.
    pub tags: Option<BTreeMap<String, String>>,
    /// The origin of the program's page.
    pub origin: Option<String>,
    /// Where the person is led in the end.
    pub return_url: Option<String>,
    /// Form fields that are filled in beforehand.
    pub options: Option<Map<String, Value>>,
    /// Seconds.
    pub expires_in: Option<i64>,
    /// How the session knows who has opened its link.
    pub proof: Option<ConnectProof>,
    /// The nonce of the program's page, for the proof `page`.
    pub nonce: Option<String>,
    /// The issuer, for the proof `log-in`; absent: the one that is configured.
    pub issuer: Option<String>,
}

/// The program's own customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectIn {
    /// Its id in the program.
    pub id: String,
    /// Its name, for people.
    #[serde(default)]
    pub name: Option<String>,
}

/// What was asked for, checked as far as that can be without the database.
#[derive(Clone)]
pub(super) struct CheckedRequest {
    pub(super) terms: ConnectTerms,
    pub(super) options: Map<String, Value>,
    pub(super) lifetime: Duration,
}

impl ConnectSessionIn {
    /// Checks it. `issuers` are those that the operator has configured.
    pub(super) fn checked(self, issuers: &[String]) -> Result<CheckedRequest, ConnectError> {
        let proof = self.proof.unwrap_or_default();
        let lifetime = lifetime(self.expires_in, proof)?;
        let nonce_hash = nonce_hash(self.nonce.as_deref(), proof)?;
        if proof == ConnectProof::Page && self.origin.is_none() {
            return Err(ConnectError::invalid(
                "The proof `page` needs `origin`: only a page there hands over the nonce.",
            ));
        }
        let issuer = issuer(self.issuer, proof, issuers)?;
        if proof == ConnectProof::LogIn && self.subject.is_none() {
            return Err(ConnectError::invalid("The proof `log-in` needs `subject`: the issuer says that it is them."));
        }
        Ok(CheckedRequest {
            terms: ConnectTerms {
                providers: providers(self.providers)?,
                integration: integration(self.integration.as_deref())?,
                subject: subject(self.subject)?,
                tags: tags(self.tags.unwrap_or_default())?,
                origin: self.origin.as_deref().map(origin).transpose()?,
                return_url: self.return_url.as_deref().map(return_url).transpose()?,
                proof,
                nonce_hash,
                issuer,
            },
            options: options(self.options.unwrap_or_default())?,
            lifetime,
        })
    }
}

fn lifetime(seconds: Option<i64>, proof: ConnectProof) -> Result<Duration, ConnectError> {
    let Some(seconds) = seconds else { return Ok(LIFETIME) };
    let longest = if proof == ConnectProof::LogIn { LONGEST_LIFETIME } else { LIFETIME };
    if (1..=longest.whole_seconds()).contains(&seconds) {
        return Ok(Duration::seconds(seconds));
    }
    Err(ConnectError::invalid(format!(
        "expiresIn is a number of seconds from 1 to {}; up to {} with the proof `log-in`.",
        LIFETIME.whole_seconds(),
        LONGEST_LIFETIME.whole_seconds()
    )))
}

fn nonce_hash(nonce: Option<&str>, proof: ConnectProof) -> Result<Option<String>, ConnectError> {
    match (nonce, proof) {
        (None, ConnectProof::Browser | ConnectProof::LogIn) => Ok(None),
        (Some(nonce), ConnectProof::Page) if NONCE_LENGTHS.contains(&nonce.len()) => Ok(Some(hex(&token_hash(nonce)))),
        (_, ConnectProof::Page) => Err(ConnectError::invalid(
            "The proof `page` needs `nonce`: a random text of 16 to 256 characters that your page gets with its own session.",
        )),
        (Some(_), _) => Err(ConnectError::invalid("nonce is for the proof `page` only.")),
    }
}

fn issuer(asked: Option<String>, proof: ConnectProof, known: &[String]) -> Result<Option<String>, ConnectError> {
    match (asked, proof) {
        (None, ConnectProof::Browser | ConnectProof::Page) => Ok(None),
        (Some(_), ConnectProof::Browser | ConnectProof::Page) => {
            Err(ConnectError::invalid("issuer is for the proof `log-in` only."))
        }
        (Some(asked), ConnectProof::LogIn) if known.contains(&asked) => Ok(Some(asked)),
        (None, ConnectProof::LogIn) if known.len() == 1 => Ok(known.first().cloned()),
        (_, ConnectProof::LogIn) => Err(ConnectError::invalid(if known.is_empty() {
            "The proof `log-in` needs an issuer, and the operator has configured none ([[connect.issuers]]).".to_owned()
        } else {
            format!("issuer is one of {}.", known.join(", "))
        })),
    }
}

fn providers(asked: Option<Vec<String>>) -> Result<Vec<String>, ConnectError> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    if asked.is_empty() {
        return Err(ConnectError::invalid("providers is empty, so nothing could be connected; leave it out for all."));
    }
    let mut providers: Vec<String> = Vec::new();
    for provider in asked {
        if !providers.contains(&provider) {
            providers.push(provider);
        }
    }
    Ok(providers)
}

fn integration(id: Option<&str>) -> Result<Option<IntegrationId>, ConnectError> {
    id.map(str::parse).transpose().map_err(|_| ConnectError::invalid("integration is the id of one, as text."))
}

fn subject(asked: Option<SubjectIn>) -> Result<Option<Subject>, ConnectError> {
    let subject = asked.map(|SubjectIn { id, name }| Subject::new(&id, name.as_deref())).transpose();
    subject.map_err(|error| ConnectError::invalid(error.to_string()))
}

fn tags(asked: BTreeMap<String, String>) -> Result<Tags, ConnectError> {
    Tags::new(asked).map_err(|error| ConnectError::invalid(error.to_string()))
}

fn options(asked: Map<String, Value>) -> Result<Map<String, Value>, ConnectError> {
    let is_good = |(name, value): (&String, &Value)| {
        let is_short = match value {
            Value::String(text) => text.chars().count() <= LONGEST_OPTION && !text.contains('\0'),
            Value::Bool(_) | Value::Number(_) => true,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        is_short && !name.is_empty() && is_text(name, LONGEST_TEXT)
    };
    if asked.len() > MOST_OPTIONS || !asked.iter().all(is_good) {
        return Err(ConnectError::invalid(format!(
            "options are at most {MOST_OPTIONS} form fields, each a text of at most {LONGEST_OPTION} characters, a number or a boolean."
        )));
    }
    Ok(asked)
}

fn is_text(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest && !text.chars().any(char::is_control)
}

/// An origin as browsers write it.
fn origin(text: &str) -> Result<String, ConnectError> {
    let url = Url::parse(text).ok().filter(is_web);
    let url = url.filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none());
    let url = url.ok_or_else(|| {
        ConnectError::invalid("origin is scheme, host and port of your page, like https://app.example, and no path.")
    })?;
    Ok(url.origin().ascii_serialization())
}

fn return_url(text: &str) -> Result<String, ConnectError> {
    let url = Url::parse(text).ok().filter(|url| is_web(url) && url.fragment().is_none() && text.len() <= LONGEST_URL);
    let url = url.ok_or_else(|| {
        ConnectError::invalid(
            "returnUrl is an absolute http or https URL of at most 2048 characters, without fragment.",
        )
    })?;
    Ok(url.into())
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
}

/// Whether page and return URL are within the origins that the organization allows.
pub(super) fn check_origins(terms: &ConnectTerms, allowed: &[String]) -> Result<(), ConnectError> {
    let returns_to = terms.return_url.as_deref().and_then(origin_of);
    for (origin, field) in [(terms.origin.clone(), "origin"), (returns_to, "returnUrl")] {
        if let Some(origin) = origin.filter(|origin| !allowed.contains(origin)) {
            return Err(ConnectError::invalid(format!(
                "{field}: {origin} is not among the allowed origins of the organization. An owner can add it in the settings."
            )));
        }
    }
    Ok(())
}

/// The origin of a URL that was checked.
pub(super) fn origin_of(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(body: Value) -> Result<CheckedRequest, String> {
        let asked: ConnectSessionIn = serde_json::from_value(body).map_err(|error| error.to_string())?;
        asked.checked(&["https://id.example".to_owned()]).map_err(|error| error.to_string())
    }

    #[test]
    fn what_nobody_could_have_wanted_is_refused() {
        let (long, tags) = ("x".repeat(256), |count: usize| {
            (0..count).map(|number| (number.to_string(), json!("v"))).collect::<Map<_, _>>()
        });
        let cases = [
            (json!({"provider": ["slack"]}), "unknown field `provider`"),
            (json!({"providers": []}), "providers is empty"),
            (json!({"integration": "x"}), "integration is the id"),
            (json!({"subject": {"id": ""}}), "The subject's id is empty"),
            (json!({"subject": {"id": long}}), "The subject's id has more than 255"),
            (json!({"subject": {"id": "1", "name": "a\nb"}}), "The subject's name has a control character"),
            (json!({"tags": tags(11)}), "more than 10 tags"),
            (json!({"tags": {"k".repeat(65): "v"}}), "The key of a tag has more than 64"),
            (json!({"tags": {"k": long}}), "The value of a tag has more than 255"),
            (json!({"origin": "https://app.example/path"}), "origin is scheme"),
            (json!({"origin": "javascript:alert(1)"}), "origin is scheme"),
            (json!({"origin": "null"}), "origin is scheme"),
            (json!({"returnUrl": "javascript:alert(1)"}), "returnUrl is an absolute"),
            (json!({"returnUrl": "https://a:b@app.example/"}), "returnUrl is an absolute"),
            (json!({"options": {"a": {"b": 1}}}), "options are at most"),
            (json!({"expiresIn": 0}), "from 1 to 1800"),
            (json!({"expiresIn": 1801}), "from 1 to 1800"),
            (json!({"expiresIn": 604_801, "proof": "log-in", "subject": {"id": "1"}}), "up to 604800"),
            (json!({"proof": "none"}), "unknown variant"),
            (json!({"proof": "page", "nonce": "0123456789abcdef"}), "needs `origin`"),
            (json!({"proof": "page", "origin": "https://app.example", "nonce": "short"}), "needs `nonce`"),
            (json!({"nonce": "0123456789abcdef"}), "for the proof `page` only"),
            (json!({"issuer": "https://id.example"}), "for the proof `log-in` only"),
            (json!({"proof": "log-in"}), "needs `subject`"),
            (json!({"proof": "log-in", "subject": {"id": "1"}, "issuer": "https://other"}), "issuer is one of"),
        ];
        for (body, why) in cases {
            let refused = checked(body.clone()).err().unwrap_or_default();
            assert!(refused.contains(why), "{body}: {refused:?}");
        }
    }

    #[test]
    fn what_is_asked_for_is_kept_and_the_rest_has_its_default() {
        let nothing = checked(json!({})).expect("all is optional");
        assert_eq!((nothing.terms, nothing.lifetime), (ConnectTerms::default(), LIFETIME));
        let most = checked(json!({
            "providers": ["slack", "slack"], "subject": {"id": "c1", "name": "Ada"}, "tags": {"plan": "pro"},
            "origin": "https://App.example:443", "returnUrl": "https://app.example/done?a=b", "expiresIn": 604_800,
            "proof": "log-in", "options": {"name": "a", "on": true},
        }))
        .expect("it is good");
        assert_eq!(most.terms.providers, ["slack"]);
        assert_eq!(most.terms.origin.as_deref(), Some("https://app.example"));
        assert_eq!(most.terms.issuer.as_deref(), Some("https://id.example"));
        assert_eq!(most.lifetime, Duration::days(7));
    }

    #[test]
    fn pages_outside_the_allowed_origins_are_refused() {
        let allowed = ["https://app.example".to_owned()];
        let check = |body: Value| check_origins(&checked(body).expect("it is good").terms, &allowed);
        assert!(check(json!({"origin": "https://app.example", "returnUrl": "https://app.example/x"})).is_ok());
        for body in [
            json!({"origin": "https://app.example:8443"}),
            json!({"origin": "http://app.example"}),
            json!({"returnUrl": "https://app.example.evil.example/"}),
            json!({"returnUrl": "https://evil.example/https://app.example"}),
        ] {
            assert!(check(body.clone()).is_err(), "{body}");
        }
    }
}
