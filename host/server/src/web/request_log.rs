//! One log line for each request, and the span around all lines of a request.
//!
//! Fields of HTTP have the names of OpenTelemetry's semantic conventions. Secrets in URLs stay
//! out.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};

use super::{error::ForMonitors, request_id};

/// The path without its query: the query of a callback holds a code. Also without the key of a
/// webhook, and without the path of a proxied call, which is for the service alone.
pub(super) fn span(request: &Request) -> tracing::Span {
    let id = request_id::of(request.extensions());
    tracing::info_span!(
        "request",
        request.id = id,
        http.request.method = %request.method(),
        http.route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str),
        url.path = without_secrets(request.uri().path())
    )
}

/// What follows the id of a provider in a path without a key.
const AFTER_AN_ID: [&str; 3] = ["webhook", "events", "setup"];

/// How the token of a connect session begins.
const CONNECT_TOKEN: &str = "jfc_";

/// A path that no route has is logged too, and it may hold a key behind a mistyped beginning.
fn without_secrets(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    // A provider may be called `webhook` as well.
    let is_before_a_key = |pair: &[&str]| pair[0].eq_ignore_ascii_case("webhook") && !AFTER_AN_ID.contains(&pair[1]);
    if let Some(at) = parts.windows(2).position(is_before_a_key) {
        return format!("{}/…", parts[..=at].join("/"));
    }
    if let Some(at) = parts.iter().position(|part| part.contains(CONNECT_TOKEN)) {
        return format!("{}/…", parts[..at].join("/"));
    }
    match parts[..] {
        ["", "api", "0", "organizations", organization, "integrations", id, "proxy", ..] => {
            format!("/api/0/organizations/{organization}/integrations/{id}/proxy/…")
        }
        _ => path.to_owned(),
    }
}

/// Keeps good answers to monitors out of the log: they come every second, day and night. Bad ones
/// stay what they are.
pub(super) async fn routine(mut response: Response) -> Response {
    response.extensions_mut().insert(ForMonitors);
    response
}

pub(super) fn log_response(response: &Response, latency: Duration, _: &tracing::Span) {
    let seconds = (latency.as_secs_f64() * 1e6).round() / 1e6;
    let status = response.status().as_u16();
    if response.status().is_success() && response.extensions().get::<ForMonitors>().is_some() {
        tracing::debug!(http.response.status_code = status, http.server.request.duration = seconds, "answered");
    } else {
        tracing::info!(http.response.status_code = status, http.server.request.duration = seconds, "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_has_the_token_of_a_connect_session() {
        for path in ["/connect/jfc_KEY/", "/connect/jfc_KEY/slack/", "//connect/jfc_KEY", "/Connect/ jfc_KEY/"] {
            let logged = without_secrets(path);
            assert!(!logged.contains("KEY") && logged.ends_with("/…"), "{path}: {logged}");
        }
        assert_eq!(without_secrets("/connect/log-in/"), "/connect/log-in/");
    }

    #[test]
    fn no_path_has_a_webhooks_key() {
        for path in [
            "/extensions/acme/webhook/KEY/",
            "/extensions/webhook/webhook/KEY/",
            "//extensions/acme/webhook/KEY/",
            "/extensions/acme//webhook/KEY",
            "/extensions/webhook/KEY/",
            "/acme/Webhook/KEY/more",
            "/extensions/acme/webhook//KEY",
            "/webhook/webhook/webhook/KEY",
        ] {
            let logged = without_secrets(path);
            assert!(!logged.contains("KEY") && logged.ends_with("/…"), "{path}: {logged}");
        }
        for path in ["/extensions/webhook/setup/", "/extensions/webhook/events/", "/organizations/webhook", "/"] {
            assert_eq!(without_secrets(path), path, "other paths are logged whole");
        }
        let proxied = without_secrets("/api/0/organizations/acme/integrations/1/proxy/a/b");
        assert_eq!(proxied, "/api/0/organizations/acme/integrations/1/proxy/…");
    }
}
