//! Where the answer of an authorization server comes to.
//!
//! A server that depends on the state may be one that a stranger has named, and it can send the
//! browser on to another server of the same provider (a mix-up, RFC 9700 section 4.4). So each has
//! a redirect URI of its own, and an answer counts only there.

use jackfield_loader::Request;
use jackfield_oauth2::{CallbackError, is_answer};

/// The request with the redirect URI of a server. `came_to` is the server in the path of the
/// request, `server` the one that the setup has to do with; `None` is the provider's own URI.
pub(super) fn at_server(
    request: &Request,
    came_to: Option<&str>,
    server: Option<&str>,
) -> Result<Request, CallbackError> {
    if is_answer(request) && came_to != server {
        return Err(CallbackError::OtherRedirectUri);
    }
    let mut request = request.clone();
    if let Some(server) = server {
        request.setup_url = format!("{}{server}/", request.setup_url);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: &str = "https://jackfield.example/extensions/acme/setup/";

    #[test]
    fn an_answer_counts_at_the_redirect_uri_of_its_server_only() {
        for parameter in ["code", "error"] {
            let mut request = Request::new("GET", SETUP);
            request.query.push((parameter.to_owned(), "x".to_owned()));
            let at = |came_to, server| at_server(&request, came_to, server).map(|request| request.setup_url);
            assert_eq!(at(None, None), Ok(SETUP.to_owned()));
            assert_eq!(at(Some("s"), Some("s")), Ok(format!("{SETUP}s/")));
            for (came_to, server) in [(None, Some("s")), (Some("s"), None), (Some("t"), Some("s"))] {
                assert_eq!(at(came_to, server), Err(CallbackError::OtherRedirectUri), "{came_to:?} {server:?}");
            }
        }
        let fresh = at_server(&Request::new("GET", SETUP), None, Some("s")).expect("it is no answer");
        assert_eq!(fresh.setup_url, format!("{SETUP}s/"), "a log-in may begin at any path");
    }
}
