//! Sends browsers to the stand-in where a set-up would send them to a service.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::{self, Next},
    response::Response,
};
use url::{Url, form_urlencoded};

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

    /// Where a redirect leads instead; `None` where it stays within the host.
    fn instead_of(&self, location: &str, from: &str) -> Option<String> {
        let url = Url::parse(location)
            .ok()
            .filter(|url| !location.starts_with(&format!("{}/", self.host)) && url.has_host())?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("url", url.as_str()).append_pair("back", &format!("{}{from}", self.host));
        Some(format!("{}/visit?{}", self.stand_in, query.finish()))
    }

    fn change(&self, headers: &mut HeaderMap, from: &str) {
        let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let instead = location.and_then(|location| self.instead_of(location, from));
        if let Some(instead) = instead.and_then(|instead| HeaderValue::try_from(instead).ok()) {
            headers.insert(header::LOCATION, instead);
        }
        // Browsers hold the redirect after a form to the same policy.
        let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
        let widened =
            policy.map(|policy| policy.replace("form-action 'self'", &format!("form-action 'self' {}", self.stand_in)));
        if let Some(widened) = widened.and_then(|policy| HeaderValue::try_from(policy).ok()) {
            headers.insert(header::CONTENT_SECURITY_POLICY, widened);
        }
    }
}

async fn take(State(detour): State<Detour>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if path.starts_with("/extensions/") {
        detour.change(response.headers_mut(), &path);
    }
    response
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
        for within in ["/", "/auth/login/", "http://127.0.0.1:1/extensions/a/setup/"] {
            assert_eq!(instead(within), None, "{within}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("a; form-action 'self' x; b"));
        detour.change(&mut headers, "/");
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "a; form-action 'self' http://127.0.0.1:2 x; b");
    }
}
