//! Sends browsers to the stand-in when a setup sends them to a service.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use jackfield_server::web::RedirectTarget;

/// The host and its stand-in.
#[derive(Clone)]
pub(super) struct RedirectToStandIn {
    host: String,
    stand_in: String,
}

impl RedirectToStandIn {
    pub(super) fn new(host: &str, stand_in: &str) -> Self {
        Self { host: host.to_owned(), stand_in: stand_in.to_owned() }
    }

    pub(super) fn around(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, redirect))
    }

    /// The stand-in's URL in the place of a service's; `None` if the browser stays within the host.
    fn stand_in_url(&self, url: &str, from: &str) -> Option<String> {
        if url.starts_with(&format!("{}/", self.host)) {
            return None;
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("url", url).append_pair("back", &format!("{}{from}", self.host));
        Some(format!("{}/visit?{}", self.stand_in, query.finish()))
    }

    /// Lets forms lead to the stand-in: browsers apply `form-action` to the redirect after a form
    /// too.
    fn allow_in_forms(&self, headers: &mut HeaderMap) {
        let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
        let widened = policy
            .map(|policy| policy.replace("form-action 'self'", &format!("form-action 'self' {}", self.stand_in)))
            .and_then(|policy| HeaderValue::try_from(policy).ok());
        if let Some(widened) = widened {
            headers.insert(header::CONTENT_SECURITY_POLICY, widened);
        }
    }
}

async fn redirect(State(to): State<RedirectToStandIn>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let target = response.extensions_mut().remove::<RedirectTarget>();
    match target.and_then(|RedirectTarget(url)| to.stand_in_url(&url, &path)) {
        // In the place of the host's answer: a redirect, or a page that goes on by itself.
        Some(url) => (StatusCode::FOUND, [(header::LOCATION, url), (header::CACHE_CONTROL, "no-store".to_owned())])
            .into_response(),
        None => {
            to.allow_in_forms(response.headers_mut());
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_the_host_leads_to_the_stand_in() {
        let to = RedirectToStandIn::new("http://127.0.0.1:1", "http://127.0.0.1:2");
        let redirected = |location: &str| to.stand_in_url(location, "/extensions/a/setup/");
        assert_eq!(
            redirected("https://acme.example/authorize?a=b").as_deref(),
            Some(
                "http://127.0.0.1:2/visit?url=https%3A%2F%2Facme.example%2Fauthorize%3Fa%3Db\
                 &back=http%3A%2F%2F127.0.0.1%3A1%2Fextensions%2Fa%2Fsetup%2F"
            )
        );
        assert_eq!(redirected("http://127.0.0.1:1/extensions/a/setup/"), None, "it stays");
        assert!(redirected("http://127.0.0.1:11/").is_some(), "another port is another place");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("a; form-action 'self' x; b"));
        to.allow_in_forms(&mut headers);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "a; form-action 'self' http://127.0.0.1:2 x; b");
    }
}
