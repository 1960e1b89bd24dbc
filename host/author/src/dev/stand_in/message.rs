//! Requests to services, and the answers that the stand-in plays.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};
use jackfield_stand_in::Parameters;
use serde_json::{Map, Value, json};

use crate::dev::dev_file::ScriptedAnswer;

/// Tells the host that no answer came, and why.
static FAILURE: HeaderName = HeaderName::from_static("x-jackfield-failure");

/// A request to a service.
pub(super) struct ServiceRequest {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer, and a note for the author.
pub(super) struct PlayedResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) note: Option<String>,
}

impl ServiceRequest {
    /// The parameters in the body: a form, or the texts of a JSON object.
    pub(super) fn parameters(&self) -> Parameters {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|value| value.starts_with("application/json")) {
            return Parameters::from_form(&self.body);
        }
        let object: Map<String, Value> = serde_json::from_slice(&self.body).unwrap_or_default();
        object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
    }
}

impl PlayedResponse {
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
        Self { status, headers, body: body.to_string().into_bytes(), note: None }
    }

    pub(super) fn scripted(scripted: &ScriptedAnswer) -> Self {
        let mut played = match (&scripted.json, &scripted.text) {
            (Some(json), _) => Self::json(scripted.status, json),
            (None, text) => {
                let body = text.clone().unwrap_or_default().into_bytes();
                Self { status: scripted.status, headers: HeaderMap::new(), body, note: None }
            }
        };
        played.headers.extend(scripted.headers.iter().cloned());
        if let Some(why) = &scripted.failure {
            let value = HeaderValue::from_str(why).unwrap_or(HeaderValue::from_static("no answer"));
            played.headers.insert(FAILURE.clone(), value);
            played.note = Some(format!("played as a failure: {why}"));
        }
        played
    }

    pub(super) fn not_scripted(request: &ServiceRequest) -> Self {
        let url = request.url.split(['?', '#']).next().unwrap_or(&request.url);
        let note = format!(
            "nothing is scripted for this; write into dev.toml, for example\n  [answers.{url:?}]\n  json = {{ id = \"1\", name = \"Ada\" }}"
        );
        let body = json!({"error": "dev.toml scripts no answer for this URL"});
        Self { note: Some(note), ..Self::json(StatusCode::NOT_FOUND, &body) }
    }
}
