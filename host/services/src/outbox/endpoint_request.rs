//! What is asked for of an endpoint, and whether it can be.

use serde::Deserialize;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use super::endpoint_error::EndpointError;
use jackfield_outbound::Outbound;
use jackfield_store::{
    endpoints::{EndpointStatus, EndpointTerms},
    outgoing_events::EventKind,
};

/// Most characters of a URL and of a description.
const LONGEST_URL: usize = 2000;
const LONGEST_DESCRIPTION: usize = 255;
/// Most providers of an endpoint.
const MOST_PROVIDERS: usize = 50;
/// How long a former secret signs beside the new one.
const OVERLAP: Duration = Duration::hours(24);
const LONGEST_OVERLAP: Duration = Duration::days(7);

/// What a new endpoint is to be. A key that is not known is refused: a mistyped `types` would
/// deliver everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointIn {
    /// Where it is.
    pub url: String,
    /// What people write beside it.
    #[serde(default)]
    pub description: String,
    /// The kinds of events that it gets; empty: all.
    #[serde(default)]
    pub types: Vec<String>,
    /// Ids of the providers whose events it gets; empty: all.
    #[serde(default)]
    pub providers: Vec<String>,
}

/// What is to change of an endpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is that of an `EndpointIn`, if it changes")]
pub struct EndpointChangeIn {
    pub url: Option<String>,
    pub description: Option<String>,
    pub types: Option<Vec<String>>,
    pub providers: Option<Vec<String>>,
    /// `enabled` or `paused`.
    pub status: Option<String>,
}

/// How a secret is rotated.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateIn {
    /// For how many seconds the secret before signs beside the new one.
    pub overlap: Option<i64>,
}

/// What is delivered once more.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedeliverIn {
    /// All since this time, as RFC 3339 has it.
    pub since: String,
}

impl EndpointIn {
    /// Checks it. The address that the URL's name has by then is checked again at each delivery.
    pub(super) fn checked(self, outbound: &Outbound) -> Result<EndpointTerms, EndpointError> {
        let Self { url, description, types, providers } = self;
        check_url(&url, outbound)?;
        if description.chars().count() > LONGEST_DESCRIPTION || description.chars().any(char::is_control) {
            return Err(EndpointError::invalid(format!(
                "description has at most {LONGEST_DESCRIPTION} characters, all on one line."
            )));
        }
        let known = |kind: &String| EventKind::ALL.iter().any(|known| known.as_str() == kind);
        if let Some(unknown) = types.iter().find(|kind| !known(kind)) {
            let all: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
            let words = format!("There is no type of events `{unknown}`; types are {}.", all.join(", "));
            return Err(EndpointError::invalid(words));
        }
        let is_id =
            |id: &String| !id.is_empty() && id.len() <= 64 && !id.contains(',') && !id.chars().any(char::is_control);
        if providers.len() > MOST_PROVIDERS || !providers.iter().all(is_id) {
            return Err(EndpointError::invalid(format!(
                "providers has the ids of at most {MOST_PROVIDERS} providers."
            )));
        }
        Ok(EndpointTerms { url, description, kinds: types, providers })
    }
}

fn check_url(text: &str, outbound: &Outbound) -> Result<(), EndpointError> {
    let bad = |words: &str| Err(EndpointError::invalid(format!("url {words}.")));
    let Ok(url) = Url::parse(text) else { return bad("is an absolute https URL") };
    if text.len() > LONGEST_URL {
        return bad("has at most 2000 characters");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("has no user name or password in it: deliveries are signed");
    }
    if url.fragment().is_some() {
        return bad("has no fragment");
    }
    match outbound.refuses(&url) {
        Some(refused) => Err(EndpointError::invalid(format!("url cannot be used: {refused}."))),
        None if matches!(url.scheme(), "https" | "http") => Ok(()),
        None => bad("is an absolute https URL"),
    }
}

impl EndpointChangeIn {
    /// Whether nothing but the status is to change.
    pub(super) const fn is_of_status(&self) -> bool {
        self.url.is_none() && self.description.is_none() && self.types.is_none() && self.providers.is_none()
    }

    /// What the endpoint is to be then, and whether it gets deliveries.
    pub(super) fn applied(
        self,
        before: EndpointIn,
        outbound: &Outbound,
    ) -> Result<(EndpointTerms, Option<EndpointStatus>), EndpointError> {
        let status = match self.status.as_deref() {
            None => None,
            Some("enabled") => Some(EndpointStatus::Enabled),
            Some("paused") => Some(EndpointStatus::Paused),
            Some(_) => return Err(EndpointError::invalid("status is `enabled` or `paused`.")),
        };
        let after = EndpointIn {
            url: self.url.unwrap_or(before.url),
            description: self.description.unwrap_or(before.description),
            types: self.types.unwrap_or(before.types),
            providers: self.providers.unwrap_or(before.providers),
        };
        Ok((after.checked(outbound)?, status))
    }
}

impl RotateIn {
    pub(super) fn overlap(self) -> Result<Duration, EndpointError> {
        let Some(seconds) = self.overlap else { return Ok(OVERLAP) };
        let overlap =
            Some(Duration::seconds(seconds)).filter(|overlap| (Duration::ZERO..=LONGEST_OVERLAP).contains(overlap));
        overlap.ok_or_else(|| {
            EndpointError::invalid(format!(
                "overlap is a number of seconds, at most {}.",
                LONGEST_OVERLAP.whole_seconds()
            ))
        })
    }
}

impl RedeliverIn {
    pub(super) fn since(&self) -> Result<OffsetDateTime, EndpointError> {
        OffsetDateTime::parse(&self.since, &Rfc3339)
            .map_err(|_| EndpointError::invalid("since is a time of RFC 3339, like 2027-01-31T00:00:00Z."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jackfield_config::Http;

    fn checked(url: &str) -> Result<EndpointTerms, String> {
        let outbound = Outbound::new(&Http::default()).expect("a client");
        let asked = EndpointIn { url: url.to_owned(), ..EndpointIn::default() };
        asked.checked(&outbound).map_err(|error| error.to_string())
    }

    #[test]
    fn an_endpoint_is_where_the_host_may_send_something() {
        assert!(checked("https://crm.example/hooks?a=b").is_ok());
        for url in [
            "",
            "crm.example",
            "ftp://crm.example/",
            "http://crm.example/",
            "https://127.0.0.1/",
            "https://[::1]/x",
            "https://user:pass@crm.example/",
            "https://crm.example/#a",
            "https://169.254.169.254/",
        ] {
            let refused = checked(url).expect_err(url);
            assert!(refused.starts_with("url "), "{url}: {refused}");
        }
        assert!(checked(&format!("https://crm.example/{}", "x".repeat(2000))).is_err());
    }

    #[test]
    fn the_configuration_knows_the_same_types() {
        assert!(EventKind::ALL.iter().map(|kind| kind.as_str()).eq(jackfield_config::EVENT_TYPES));
    }

    #[test]
    fn a_type_that_is_not_known_is_named_with_those_that_are() {
        let outbound = Outbound::new(&Http::default()).expect("a client");
        let asked = |types: &[&str]| EndpointIn {
            url: "https://crm.example/".to_owned(),
            types: types.iter().map(|kind| (*kind).to_owned()).collect(),
            ..EndpointIn::default()
        };
        assert!(asked(&["integration.connected"]).checked(&outbound).is_ok());
        let refused = asked(&["integration.connect"]).checked(&outbound).expect_err("a mistake").to_string();
        assert!(refused.contains("integration.connect") && refused.contains("integration.connected"), "{refused}");
        assert!(asked(&["endpoint.test"]).checked(&outbound).is_err(), "nobody asks for a test but by asking for one");
    }
}
