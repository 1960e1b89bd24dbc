//! A word for the next page a person sees, carried in a short-lived cookie: why a set-up did not go on, what was removed.
//!
//! A cookie and not the session, because some of those who need the word have none. It names one of the texts here and a reference, so
//! that nothing a stranger puts into it can say anything else.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use tower_sessions::cookie::{Cookie, SameSite, time::Duration};

use crate::{
    grants::{Attempted, Effect},
    pipeline::Refusal,
};

const COOKIE: &str = "jackfield-notice";

/// What the next page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    kind: Kind,
    /// Finds the request in the log.
    pub(super) reference: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    OtherBrowser,
    Changed,
    Expired,
    Denied,
    Removed,
    Revoked,
    BeingRevoked,
    NotRevocable,
    Saved,
    Unlinked,
}

/// Each kind's name in the cookie, whether it is bad news, and what the person reads.
const KINDS: [(Kind, &str, bool, &str); 11] = [
    (
        Kind::Missing,
        "missing",
        true,
        "This set-up was already finished, or was never started in this browser. Start it again from here.",
    ),
    (Kind::OtherBrowser, "other", true, "This set-up belongs to another person or browser. Start your own from here."),
    (
        Kind::Changed,
        "changed",
        true,
        "This set-up does not fit the integration any more; it may have been updated meanwhile. Start it again from here.",
    ),
    (Kind::Expired, "expired", true, "This set-up has expired: it may take fifteen minutes. Start it again from here."),
    (Kind::Denied, "denied", true, "You may not set up integrations here any more. Ask an owner of the organization."),
    (Kind::Removed, "removed", false, "The integration was removed."),
    (Kind::Revoked, "revoked", false, "The integration was removed, and its tokens are revoked at the provider."),
    (
        Kind::BeingRevoked,
        "being-revoked",
        false,
        "The integration was removed. The provider has not confirmed yet that its tokens are revoked; it is asked until it does.",
    ),
    (
        Kind::NotRevocable,
        "not-revocable",
        false,
        "The integration was removed. Its tokens could not be revoked from here: end the connection in the provider's own settings as well.",
    ),
    (Kind::Saved, "saved", false, "The configuration was saved."),
    (Kind::Unlinked, "unlinked", false, "The identity was unlinked."),
];

impl Notice {
    /// Why a set-up did not go on.
    pub(super) const fn refused(refusal: Refusal, reference: Option<String>) -> Self {
        let kind = match refusal {
            Refusal::MissingSessionData => Kind::Missing,
            Refusal::InvalidProvider | Refusal::InvalidUid => Kind::OtherBrowser,
            Refusal::InvalidSignature => Kind::Changed,
            Refusal::Expired => Kind::Expired,
            Refusal::AccessDenied => Kind::Denied,
        };
        Self { kind, reference }
    }

    pub(super) const fn removed() -> Self {
        Self { kind: Kind::Removed, reference: None }
    }

    /// After a removal, by what came of asking the provider; `None`: nothing yet.
    pub(super) const fn given_up(attempted: Option<&Attempted>) -> Self {
        let kind = match attempted {
            Some(Attempted::Done { effect: Effect::Revoked, .. }) => Kind::Revoked,
            Some(Attempted::Done { effect: Effect::Nothing, .. }) => Kind::Removed,
            Some(Attempted::Done { effect: Effect::Impossible, .. } | Attempted::Failed(_)) => Kind::NotRevocable,
            Some(Attempted::Waiting { .. } | Attempted::Elsewhere) | None => Kind::BeingRevoked,
        };
        Self { kind, reference: None }
    }

    pub(super) const fn saved() -> Self {
        Self { kind: Kind::Saved, reference: None }
    }

    pub(super) const fn unlinked() -> Self {
        Self { kind: Kind::Unlinked, reference: None }
    }

    /// What the last answer left for this page.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
        let mut cookies = Cookie::split_parse(cookies).filter_map(Result::ok);
        let cookie = cookies.find(|cookie| cookie.name() == COOKIE)?;
        let (name, reference) = cookie.value().split_once('.')?;
        let kind = KINDS.iter().find(|(_, known, ..)| *known == name)?.0;
        let is_reference = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self { kind, reference: is_reference.then(|| reference.to_owned()) })
    }

    fn row(&self) -> &'static (Kind, &'static str, bool, &'static str) {
        KINDS.iter().find(|(kind, ..)| *kind == self.kind).expect("every kind has a row")
    }

    pub(super) fn is_bad(&self) -> bool {
        self.row().2
    }

    pub(super) fn text(&self) -> &'static str {
        self.row().3
    }

    /// Leaves it for the next page.
    pub(super) fn leave(&self, response: &mut Response) {
        let value = format!("{}.{}", self.row().1, self.reference.as_deref().unwrap_or_default());
        set(response, &value, Duration::minutes(1));
    }

    /// Takes it back, once a page has shown it.
    pub(super) fn taken(response: &mut Response) {
        set(response, "", Duration::ZERO);
    }
}

fn set(response: &mut Response, value: &str, age: Duration) {
    let cookie = Cookie::build((COOKIE, value)).path("/").http_only(true).same_site(SameSite::Lax).max_age(age);
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        [(header::COOKIE, cookie.parse().expect("a header value"))].into_iter().collect()
    }

    #[test]
    fn what_is_left_is_found_by_the_next_request() {
        for refusal in [Refusal::MissingSessionData, Refusal::Expired, Refusal::AccessDenied] {
            let notice = Notice::refused(refusal, Some("0a1b".to_owned()));
            let mut response = ().into_response();
            notice.leave(&mut response);
            let cookie = response.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
            let sent = format!("other=1; {}", cookie.split(';').next().unwrap_or_default());
            assert_eq!(Notice::of(&headers(&sent)), Some(notice));
        }
    }

    #[test]
    fn a_cookie_of_a_strangers_making_says_nothing_of_its_own() {
        for cookie in ["jackfield-notice=<b>.1", "jackfield-notice=expired", "jackfield-notice="] {
            assert_eq!(Notice::of(&headers(cookie)), None, "{cookie}");
        }
        let notice = Notice::of(&headers("jackfield-notice=expired.<script>")).expect("a known kind");
        assert_eq!(notice.reference, None);
    }
}
