//! The refresh request (RFC 6749 section 6), where the server wants it and with what it wants.

use jackfield_plugin_abi::envelope::{OAuth2, State};
use time::OffsetDateTime;

use super::{client::Parameters, server::AuthorizationServer, token::request_from, token_error::TokenError};

/// Sends a refresh token, and returns the answer: an object with whatever the provider sends.
///
/// The scope is left out: then it is the one that was granted.
///
/// # Errors
/// When the request fails, or the endpoint gives no token.
pub async fn refresh(
    server: &AuthorizationServer,
    refresh_token: &str,
    now: OffsetDateTime,
) -> Result<State, TokenError> {
    let oauth2 = server.oauth2();
    request_from(oauth2, url(oauth2), parameters(oauth2, refresh_token), server.outbound(), now).await
}

fn url(oauth2: &OAuth2) -> &str {
    oauth2.refresh_url.as_deref().filter(|url| !url.is_empty()).unwrap_or(&oauth2.token_url)
}

fn parameters(oauth2: &OAuth2, refresh_token: &str) -> Parameters {
    let parameters = Parameters::grant("refresh_token").secret("refresh_token", refresh_token);
    let more = oauth2.refresh_parameters.as_ref().unwrap_or(&oauth2.token_parameters);
    more.iter().fold(parameters, |all, (name, value)| all.with(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_goes_where_the_server_wants_it_with_what_it_wants() {
        let plain =
            || OAuth2::new("https://a.example/", "https://a.example/token").token_parameter("type", "web_server");
        let own = plain().refresh_url("https://a.example/refresh").refresh_parameter("type", "refresh");
        let sent = |oauth2: &OAuth2, kind: &str| {
            let expected = Parameters::grant("refresh_token").secret("refresh_token", "r").with("type", kind);
            parameters(oauth2, "r").is_same(&expected)
        };
        assert!(sent(&plain(), "web_server") && sent(&own, "refresh"));
        assert_eq!((url(&plain()), url(&own)), ("https://a.example/token", "https://a.example/refresh"));
        let mut none = plain();
        none.refresh_parameters = Some(Vec::new());
        let bare = Parameters::grant("refresh_token").secret("refresh_token", "r");
        assert!(parameters(&none, "r").is_same(&bare), "an empty list sends none");
    }
}
