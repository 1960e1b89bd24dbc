//! Requests to GitHub's REST API.

use jackfield_plugin::{Error, Host, HttpRequest, HttpResponse, Result, Value};

/// Sends a request and reads the JSON of its response. The error quotes nothing of the response,
/// which may hold a token.
pub(crate) async fn send_for_json(host: &Host, request: HttpRequest, token: &str) -> Result<Value> {
    let description = format!("{request:?}");
    let response = send(host, request, token).await?;
    if !response.is_success() {
        return Err(error_of(&response, &description));
    }
    Ok(response.json()?)
}

/// What GitHub answered to which request, for the log.
pub(crate) fn error_of(response: &HttpResponse, request: &str) -> Error {
    Error::new(format!("GitHub answered {} to {request}", response.status))
}

pub(crate) async fn send(host: &Host, request: HttpRequest, token: &str) -> Result<HttpResponse> {
    let request = request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28");
    host.send(request.bearer_auth(token)).await
}
