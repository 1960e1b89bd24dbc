//! A host with entries of the catalogue, whose services a test plays under their own URLs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::{DialogMessage, HttpClient},
    stand_in_internet::{ServiceAnswer, ServiceRequest, StandInInternet},
    stand_in_oauth2::ServiceProfile,
};
use serde_json::{Value, json};

use crate::app::{ApiClient, bare, owner_of_acme};

/// The configuration of an entry, as an operator enables it.
pub(crate) fn enabled(id: &str) -> Result<String> {
    let profile = profile(id)?;
    let options: String = profile.options.iter().map(|(name, value)| format!("{name} = \"{value}\"\n")).collect();
    Ok(format!("[providers.{id}]\nclient-id = \"cid\"\nclient-secret = \"cs\"\n{options}"))
}

pub(crate) fn profile(id: &str) -> Result<ServiceProfile> {
    ServiceProfile::all()?.remove(id).context("a profile of that name")
}

/// What the service of an entry answers to all but refreshes.
pub(crate) fn answer_of(profiles: &BTreeMap<String, ServiceProfile>, request: &ServiceRequest) -> ServiceAnswer {
    let called = format!("{} {}", request.method, request.url);
    let found = profiles.values().find_map(|profile| {
        if request.method == "POST" && request.url == profile.token {
            Some(&profile.token_answer)
        } else {
            (profile.account.as_ref() == Some(&called)).then_some(&profile.account_answer)
        }
    });
    match found {
        Some(text) => (200, serde_json::from_str(text).expect("the service's answers are JSON")),
        None => (404, json!({"message": "Not Found"})),
    }
}

/// A host whose services the test plays, and its owner.
pub(crate) struct ServiceApp {
    pub(crate) services: StandInInternet,
    pub(crate) host: Host,
    pub(crate) owner: HttpClient,
}

impl ServiceApp {
    pub(crate) async fn start(
        toml: &str,
        answer: impl FnMut(&ServiceRequest) -> ServiceAnswer + Send + 'static,
    ) -> Result<Self> {
        let services = StandInInternet::start(answer).await?;
        let host = Self::builder(&services, toml).start()?;
        let owner = owner_of_acme(&host).await?;
        Ok(Self { services, host, owner })
    }

    pub(crate) fn builder(services: &StandInInternet, toml: &str) -> HostBuilder {
        bare().toml(&services.toml()).toml(toml)
    }

    /// Sets a provider up, as a person who consents.
    pub(crate) async fn consent(&self, id: &str) -> Result<DialogMessage> {
        let step = self.owner.start_setup("acme", id).await?;
        let there = step.redirect()?;
        let asked = |name: &str| there.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let back = asked("redirect_uri").context("a redirect URI")?;
        let state = asked("state").context("a state")?;
        self.owner.visit(&format!("{back}?code=c0de&state={state}")).await?.dialog()
    }

    /// The same, and a program that uses the integration.
    pub(crate) async fn connect(&self, id: &str) -> Result<ApiClient> {
        let dialog = self.consent(id).await?;
        anyhow::ensure!(dialog.success, "{id}: {}\n{}", dialog.detail(), self.host.log()?);
        ApiClient::of_integration(&self.host, &dialog.data)
    }

    /// The parameters of the last refresh, and where it went.
    pub(crate) fn last_refresh(&self) -> Result<ServiceRequest> {
        let sent = self.services.requests();
        sent.into_iter().rfind(is_refresh).context("a refresh")
    }
}

pub(crate) fn is_refresh(request: &ServiceRequest) -> bool {
    request.parameter("grant_type") == "refresh_token"
}

/// The members of one answer over those of another.
pub(crate) fn over(answer: Value, more: Value) -> Value {
    match (answer, more) {
        (Value::Object(mut all), Value::Object(more)) => {
            all.extend(more);
            Value::Object(all)
        }
        (answer, _) => answer,
    }
}
