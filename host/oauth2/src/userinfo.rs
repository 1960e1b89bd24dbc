//! The userinfo endpoint (OpenID Connect Core 1.0 section 5.3).

use http::{Request, header};
use jackfield_outbound::{Outbound, OutboundError};
use jackfield_plugin_abi::envelope::State;
use serde_json::Value;
use thiserror::Error;

/// Why there is no userinfo. Holds neither token nor claim.
#[derive(Debug, Error)]
pub enum UserinfoError {
    /// The request failed.
    #[error("the request to the userinfo endpoint failed: {0}")]
    Outbound(#[from] OutboundError),
    /// The token or the endpoint is missing.
    #[error("the userinfo endpoint cannot be used: there is no {0}")]
    Missing(&'static str),
    /// The answer is not a JSON object, or an error.
    #[error("the userinfo endpoint answered status {0} and no JSON object")]
    Answer(u16),
    /// The answer is about another subject than the ID token.
    #[error("the userinfo is about another subject than the ID token")]
    OtherSubject,
}

/// Fetches the userinfo. Its subject must be that of the verified ID token (section 5.3.2).
pub(super) async fn fetch(
    endpoint: Option<&str>,
    access_token: Option<&str>,
    subject: Option<&Value>,
    outbound: &Outbound,
) -> Result<State, UserinfoError> {
    let endpoint = endpoint.ok_or(UserinfoError::Missing("userinfo_endpoint in the issuer's metadata"))?;
    let token = access_token.ok_or(UserinfoError::Missing("access_token in the token answer"))?;
    let request = Request::get(endpoint)
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Vec::new())
        .map_err(|_| UserinfoError::Missing("endpoint or token that can stand in a request"))?;
    let response = outbound.send(request).await?;
    let claims: Option<State> = serde_json::from_slice(response.body()).ok();
    let claims = claims.filter(|_| response.status().is_success());
    let claims = claims.ok_or_else(|| UserinfoError::Answer(response.status().as_u16()))?;
    if claims.get("sub").is_none() || subject.is_some_and(|subject| claims.get("sub") != Some(subject)) {
        return Err(UserinfoError::OtherSubject);
    }
    Ok(claims)
}
