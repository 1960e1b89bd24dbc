//! A word for the next page a person sees, carried in a short-lived cookie: why a set-up did not go on, what was removed.
//!
//! A cookie and not the session, because some of those who need the word have none. It names one of the texts here and a reference, so
//! that nothing a stranger puts into it can say anything else.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use tower_sessions::cookie::{Cookie, SameSite, time::Duration};

use super::failed_checks::FailedCheck;
use jackfield_services::revocations::{RevocationOutcome, TokenEffect};

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
    /// Something was done: its name in the cookie, and what the person reads.
    Done(&'static str, &'static str),
    Failed(&'static FailedCheck),
}

const REMOVED: Kind = Kind::Done("removed", "The integration was removed.");
const REVOKED: Kind = Kind::Done("revoked", "The integration was removed, and its tokens are revoked at the provider.");
const BEING_REVOKED: Kind = Kind::Done(
    "being-revoked",
    "The integration was removed. The provider has not confirmed yet that its tokens are revoked; it is asked until it does.",
);
const NOT_REVOCABLE: Kind = Kind::Done(
    "not-revocable",
    "The integration was removed. Its tokens could not be revoked from here: end the connection in the provider's own settings as well.",
);
const SAVED: Kind = Kind::Done("saved", "The configuration was saved.");
const UNLINKED: Kind = Kind::Done("unlinked", "The identity was unlinked.");

/// All that is done.
const DONE: [Kind; 6] = [REMOVED, REVOKED, BEING_REVOKED, NOT_REVOCABLE, SAVED, UNLINKED];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Done(name, _) => name,
            Self::Failed(check) => check.name,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let done = DONE.into_iter().find(|done| done.name() == name);
        done.or_else(|| FailedCheck::named(name).map(Self::Failed))
    }
}

impl Notice {
    /// Why a set-up did not go on, or ended badly.
    pub(super) const fn failed(check: &'static FailedCheck, reference: Option<String>) -> Self {
        Self { kind: Kind::Failed(check), reference }
    }

    pub(super) const fn removed() -> Self {
        Self { kind: REMOVED, reference: None }
    }

    /// After a removal, by what came of asking the provider; `None`: nothing yet.
    pub(super) const fn given_up(outcome: Option<&RevocationOutcome>) -> Self {
        let kind = match outcome {
            Some(RevocationOutcome::Done { effect: TokenEffect::Revoked, .. }) => REVOKED,
            Some(
                RevocationOutcome::Done { effect: TokenEffect::Nothing, .. } | RevocationOutcome::EndedByAnotherHost(_),
            ) => REMOVED,
            Some(RevocationOutcome::Done { effect: TokenEffect::Impossible, .. } | RevocationOutcome::Failed(_)) => {
                NOT_REVOCABLE
            }
            Some(
                RevocationOutcome::Waiting { .. }
                | RevocationOutcome::NotAsked { .. }
                | RevocationOutcome::HeldByAnotherHost,
            )
            | None => BEING_REVOKED,
        };
        Self { kind, reference: None }
    }

    pub(super) const fn saved() -> Self {
        Self { kind: SAVED, reference: None }
    }

    pub(super) const fn unlinked() -> Self {
        Self { kind: UNLINKED, reference: None }
    }

    /// What the last answer left for this page.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
        let mut cookies = Cookie::split_parse(cookies).filter_map(Result::ok);
        let cookie = cookies.find(|cookie| cookie.name() == COOKIE)?;
        let (name, reference) = cookie.value().split_once('.')?;
        let kind = Kind::named(name)?;
        let is_reference = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self { kind, reference: is_reference.then(|| reference.to_owned()) })
    }

    /// The check that failed, if one did: what the person quotes and the log has.
    pub(super) const fn check(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Failed(check) => Some(check.name),
            Kind::Done(..) => None,
        }
    }

    pub(super) const fn is_bad(&self) -> bool {
        self.check().is_some()
    }

    pub(super) const fn text(&self) -> &'static str {
        match self.kind {
            Kind::Failed(check) => check.words,
            Kind::Done(_, text) => text,
        }
    }

    /// Leaves it for the next page.
    pub(super) fn leave(&self, response: &mut Response) {
        let value = format!("{}.{}", self.kind.name(), self.reference.as_deref().unwrap_or_default());
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
    use jackfield_services::setup::Refusal;

    fn headers(cookie: &str) -> HeaderMap {
        [(header::COOKIE, cookie.parse().expect("a header value"))].into_iter().collect()
    }

    #[test]
    fn what_is_left_is_found_by_the_next_request() {
        for refusal in Refusal::ALL {
            let notice = Notice::failed(FailedCheck::of_refusal(refusal), Some("0a1b".to_owned()));
            let mut response = ().into_response();
            notice.leave(&mut response);
            let cookie = response.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
            let sent = format!("other=1; {}", cookie.split(';').next().unwrap_or_default());
            let found = Notice::of(&headers(&sent)).expect("it is found");
            assert_eq!(found, notice);
            assert_eq!(found.check(), Some(refusal.check()));
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
