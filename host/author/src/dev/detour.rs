//! Sends browsers to the stand-in where a set-up would send them to a service.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use jackfield_server::web::RedirectTarget;

/// From where to where.
#[derive(Clone)]
pub(super) struct Detour {
    host: String,
    stand_in: String,
}

impl Detour {
    pub(super) fn new(host: &str, stand_in: &str) -> Self {
        Self { host: host.to_owned(), stand_in: stand_in.to_owned() }
    }

    pub(super) fn around(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, take))
    }

    /// Where the browser goes instead; `None` where it stays within the host.
    fn instead_of(&self, url: &str, from: &str) -> Option<String> {
        if url.starts_with(&format!("{}/", self.host)) {
            return None;
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("url", url).append_pair("back", &format!("{}{from}", self.host));
        Some(format!("{}/visit?{}", self.stand_in, query.finish()))
    }

    /// Browsers hold the redirect after a form to what the form's page says its forms may lead to.
    fn widen(&self, headers: &mut HeaderMap) {
        let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
        let widened = policy
            .map(|policy| policy.replace("form-action 'self'", &format!("form-action 'self' {}", self.stand_in)))
            .and_then(|policy| HeaderValue::try_from(policy).ok());
        if let Some(widened) = widened {
            headers.insert(header::CONTENT_SECURITY_POLICY, widened);
        }
    }
}

async fn take(State(detour): State<Detour>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let led = response.extensions_mut().remove::<RedirectTarget>();
    match led.and_then(|RedirectTarget(url)| detour.instead_of(&url, &path)) {
        // Whatever the host would have led there with: a redirect, or a page that goes on by itself.
        Some(instead) => {
            (StatusCode::FOUND, [(header::LOCATION, instead), (header::CACHE_CONTROL, "no-store".to_owned())])
                .into_response()
        }
        None => {
            detour.widen(response.headers_mut());
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_the_host_leads_to_the_stand_in() {
        let detour = Detour::new("http://127.0.0.1:1", "http://127.0.0.1:2");
        let instead = |location: &str| detour.instead_of(location, "/extensions/a/setup/");
        assert_eq!(
            instead("https://acme.example/authorize?a=b").as_deref(),
            Some(
                "http://127.0.0.1:2/visit?url=https%3A%2F%2Facme.example%2Fauthorize%3Fa%3Db\
                 &back=http%3A%2F%2F127.0.0.1%3A1%2Fextensions%2Fa%2Fsetup%2F"
            )
        );
        assert_eq!(instead("http://127.0.0.1:1/extensions/a/setup/"), None, "it stays");
        assert!(instead("http://127.0.0.1:11/").is_some(), "another port is another place");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("a; form-action 'self' x; b"));
        detour.widen(&mut headers);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "a; form-action 'self' http://127.0.0.1:2 x; b");
    }
}
