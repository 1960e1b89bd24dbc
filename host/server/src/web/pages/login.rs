//! Log-in and log-out.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use url::Url;

use super::{
    assets,
    flash::Flash,
    layout::{FlashCookie, render},
    setup::start,
};
use crate::{
    app::AppHandle,
    web::{
        auth::{self, BrowserSession},
        client_address::ClientAddress,
        device_cookie::DeviceCookie,
        error::WebError,
        html::html,
        plain_text::PlainForm,
        redirects::found,
        request_origin::RequestOrigin,
    },
};
use jackfield_config::UrlPrefix;
use jackfield_services::accounts::{LogInError, LogInRequest, LoggedIn};

#[derive(Deserialize)]
pub(in crate::web) struct LogInQuery {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(in crate::web) struct LogInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage<'a> {
    email: &'a str,
    next: &'a str,
    message: Option<&'a str>,
    flash: Option<Flash>,
}

/// `GET /auth/login/`: the form for people without a session.
pub(in crate::web) async fn form(
    State(app): State<AppHandle>,
    user: Option<auth::LoggedIn>,
    FlashCookie(flash): FlashCookie,
    Query(query): Query<LogInQuery>,
) -> Response {
    let next = safe_next(&app.url_prefix, &query.next);
    if user.is_some() {
        return found(&start::asked_first(&next));
    }
    let had_flash = flash.is_some();
    render(&LogInPage { email: "", next: &next, message: None, flash }, had_flash)
}

/// `POST /auth/login/`: the form above.
pub(in crate::web) async fn log_in(
    State(app): State<AppHandle>,
    BrowserSession(session): BrowserSession,
    RequestOrigin(source): RequestOrigin,
    ClientAddress { address: client, .. }: ClientAddress,
    DeviceCookie(device): DeviceCookie,
    PlainForm(form): PlainForm<LogInForm>,
) -> Result<Response, WebError> {
    let next = safe_next(&app.url_prefix, &form.next);
    let request = LogInRequest { email: form.email.clone(), password: form.password.into(), client, device };
    match app.accounts.log_in(request).await {
        Ok(LoggedIn { user, device }) => {
            app.log_in_audit.logged_in(user.id, &source).await?;
            session.log_in(&user, &source).await?;
            let mut response = found(&start::asked_first(&next));
            response.extensions_mut().insert(DeviceCookie(device));
            Ok(response)
        }
        Err(error) => {
            if let Some(reason) = error.refusal() {
                app.log_in_audit.refused(&form.email, reason, source);
            }
            refused(&form.email, &next, error)
        }
    }
}

/// By then, those who waited are through.
const BUSY_SECONDS: u64 = 2;

fn refused(email: &str, next: &str, error: LogInError) -> Result<Response, WebError> {
    let page = |message: &str| html(&LogInPage { email, next, message: Some(message), flash: None });
    match error {
        LogInError::Wrong => {
            Ok((StatusCode::UNAUTHORIZED, page("That e-mail and password do not match.")).into_response())
        }
        LogInError::SlowedDown { retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            let page = page(&format!("Too many attempts. Try again in {}.", in_words(seconds)));
            let headers = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
            Ok((StatusCode::TOO_MANY_REQUESTS, headers, page).into_response())
        }
        LogInError::Busy => {
            let page = page("Many people are logging in at this moment. Try again in a few seconds.");
            let headers = [(header::RETRY_AFTER, HeaderValue::from(BUSY_SECONDS))];
            Ok((StatusCode::SERVICE_UNAVAILABLE, headers, page).into_response())
        }
        LogInError::Store(error) => Err(error.into()),
    }
}

fn in_words(seconds: u64) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// `POST /auth/logout/`: the button on every page.
pub(in crate::web) async fn log_out(
    State(app): State<AppHandle>,
    BrowserSession(session): BrowserSession,
    RequestOrigin(source): RequestOrigin,
) -> Result<Response, WebError> {
    let user = session.user().await?;
    session.log_out().await?;
    if let Some(user) = user {
        app.log_in_audit.logged_out(user, &source).await?;
    }
    Ok(found("/auth/login/"))
}

/// A path within this host, or `/`. A scheme, `//`, `\` or a control character could lead to
/// another origin.
fn safe_next(prefix: &UrlPrefix, next: &str) -> String {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let is_plain = !next.chars().any(|c| c == '\\' || c.is_control());
    let origin = prefix.origin();
    let stays = || Url::parse(&format!("{origin}{next}")).is_ok_and(|url| url.origin().ascii_serialization() == origin);
    if is_path && is_plain && stays() { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_said_as_people_say_it() {
        for (seconds, said) in
            [(1, "1 second"), (2, "2 seconds"), (90, "90 seconds"), (91, "2 minutes"), (900, "15 minutes")]
        {
            assert_eq!(in_words(seconds), said);
        }
    }

    #[test]
    fn next_stays_within_this_host() {
        let prefix: UrlPrefix = "https://ours.example".parse().expect("a prefix");
        for path in ["/", "/organizations/acme/integrations/", "/a?b=c#d"] {
            assert_eq!(safe_next(&prefix, path), path);
        }
        for other in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil",
            "javascript:alert(1)",
            "/\t/evil",
            "a",
        ] {
            assert_eq!(safe_next(&prefix, other), "/", "{other}");
        }
    }
}
