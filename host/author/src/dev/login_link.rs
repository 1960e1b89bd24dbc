//! A link that logs a browser in: random, for one use and ten minutes, and shown on the terminal
//! only. And a token for a program that uses the integrations.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use subtle::ConstantTimeEq;

use super::terminal::print;
use jackfield_server::app::AppHandle;
use jackfield_services::{
    StoreError,
    accounts::{NewUserIn, Scope, User},
    request_source::RequestSource,
};

const EMAIL: &str = "dev@example.com";
const ORGANIZATION: &str = "dev";

/// How long a link works.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The links of a host with one user and one organization. Clones share them.
#[derive(Clone)]
pub(super) struct LoginLinks {
    app: AppHandle,
    host: String,
    user: User,
    token: String,
    current: Arc<Mutex<LoginLink>>,
}

/// One link.
struct LoginLink {
    token: String,
    made: Instant,
    is_used: bool,
}

impl LoginLink {
    fn new() -> Self {
        Self { token: random_text(), made: Instant::now(), is_used: false }
    }

    fn works(&self, now: Instant) -> bool {
        !self.is_used && now.saturating_duration_since(self.made) < LIFETIME
    }

    /// Uses it up, if the token is its own and it still works.
    fn redeem(&mut self, token: &str, now: Instant) -> bool {
        let is_this: bool = self.token.as_bytes().ct_eq(token.as_bytes()).into();
        let is_redeemed = is_this && self.works(now);
        self.is_used |= is_redeemed;
        is_redeemed
    }
}

fn random_text() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl LoginLinks {
    /// Creates the one user, whose password nobody knows, and their organization.
    pub(super) async fn create(app: AppHandle, host: &str) -> anyhow::Result<Self> {
        let (email, name) = (EMAIL.to_owned(), "Developer".to_owned());
        let new = NewUserIn { email, name, password: random_text().into(), superuser: false };
        let user = app.accounts.create_user(new).await?;
        app.accounts.create_organization(ORGANIZATION, "Development", Some(EMAIL)).await?;
        let scopes = [Scope::IntegrationsToken, Scope::IntegrationsProxy, Scope::OrgRead];
        let token = app.accounts.create_token(ORGANIZATION, "plugin dev", &scopes).await?;
        let current = Arc::new(Mutex::new(LoginLink::new()));
        Ok(Self { app, host: host.to_owned(), user, token, current })
    }

    /// The route of the links, with the host's sessions.
    pub(super) fn router(self) -> Router {
        let sessions = self.app.sessions.layer();
        Router::new().route("/auth/dev/{token}/", get(log_in)).layer(sessions).with_state(self)
    }

    /// Prints the link that works now.
    pub(super) fn print(&self) {
        let token = self.current.lock().token.clone();
        print("open", &format!("{}/auth/dev/{token}/\nlogs your browser in: once, within ten minutes", self.host));
    }

    /// Prints how a program calls the service's API, through the first integration.
    pub(super) fn print_token(&self) {
        let Self { host, token, .. } = self;
        print(
            "use",
            &format!(
                "curl -H 'Authorization: Bearer {token}' {host}/api/0/organizations/{ORGANIZATION}/integrations/1/proxy/\n\
                 calls the API that `Provider::api` names, through the first integration that you connect; a path may follow"
            ),
        );
    }

    fn redeem(&self, token: &str) -> bool {
        self.current.lock().redeem(token, Instant::now())
    }

    /// Makes another link for a browser that comes too late, and prints it where only the author
    /// sees it.
    fn renew(&self) {
        let mut current = self.current.lock();
        if current.works(Instant::now()) {
            return;
        }
        *current = LoginLink::new();
        drop(current);
        self.print();
    }

    async fn start_session(&self, request: Request) -> Result<(), StoreError> {
        let (mut parts, _) = request.into_parts();
        self.app.sessions.of(&mut parts).await?.log_in(&self.user, &RequestSource::default()).await
    }
}

/// `GET /auth/dev/{token}/`: the link on the terminal.
async fn log_in(State(links): State<LoginLinks>, Path(token): Path<String>, request: Request) -> Response {
    // A HEAD, from a program that previews links, must not use it up.
    if request.method() != Method::GET || !links.redeem(&token) {
        links.renew();
        let words = "This link was used, or is too old. The terminal shows one that works.";
        return (StatusCode::NOT_FOUND, private(), words).into_response();
    }
    match links.start_session(request).await {
        Ok(()) => {
            let home = format!("/organizations/{ORGANIZATION}/integrations/");
            (StatusCode::FOUND, private(), [(header::LOCATION, home)]).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, private(), error.to_string()).into_response(),
    }
}

/// The answer is neither cached nor named to the next page.
fn private() -> HeaderMap {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "no-referrer")];
    headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_once_and_for_ten_minutes() {
        let mut link = LoginLink::new();
        let token = link.token.clone();
        assert!(token.len() == 43 && token != LoginLink::new().token);
        assert!(!link.redeem("", link.made) && !link.redeem("x", link.made));
        assert!(!link.redeem(&token, link.made + LIFETIME), "too late");
        assert!(link.redeem(&token, link.made + LIFETIME / 2));
        assert!(!link.redeem(&token, link.made), "used");
    }
}
