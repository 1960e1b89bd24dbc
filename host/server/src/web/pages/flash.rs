//! A message for the next page that a person sees: why a setup ended, what was removed.
//!
//! It is carried in a short-lived cookie and not in the session, because some who need it have no
//! session. The cookie names one of the texts here and a reference, so that a stranger cannot put
//! words of their own into it.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use tower_sessions::cookie::{Cookie, SameSite, time::Duration};

use super::setup_errors::SetupError;
use jackfield_services::revocations::{RevocationOutcome, TokenEffect};

const COOKIE: &str = "jackfield-flash";

/// What the next page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Flash {
    kind: Kind,
    /// Finds the request in the log.
    pub(in crate::web) reference: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Something was done: its name in the cookie, and what the person reads.
    Done(&'static str, &'static str),
    Failed(&'static SetupError),
}

const REMOVED: Kind = Kind::Done("removed", "The integration was removed.");
const REVOKED: Kind = Kind::Done("revoked", "The integration was removed, and its tokens are revoked.");
const BEING_REVOKED: Kind = Kind::Done(
    "being-revoked",
    "Removed. The service has not confirmed yet that the tokens are revoked; Jackfield keeps trying.",
);
const NOT_REVOCABLE: Kind = Kind::Done(
    "not-revocable",
    "Removed. Jackfield could not revoke the tokens: end the connection in the service's own settings too.",
);
const SAVED: Kind = Kind::Done("saved", "Saved.");
const UNLINKED: Kind = Kind::Done("unlinked", "The account was unlinked.");
const LINK_ENDED: Kind = Kind::Done("link-ended", "The link was ended.");
const ENDPOINT_REMOVED: Kind = Kind::Done("endpoint-removed", "The endpoint was removed.");
const REDELIVERED: Kind = Kind::Done("redelivered", "The event is delivered once more.");

/// All of them.
const DONE: [Kind; 9] =
    [REMOVED, REVOKED, BEING_REVOKED, NOT_REVOCABLE, SAVED, UNLINKED, LINK_ENDED, ENDPOINT_REMOVED, REDELIVERED];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Done(name, _) => name,
            Self::Failed(check) => check.name,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let done = DONE.into_iter().find(|done| done.name() == name);
        done.or_else(|| SetupError::named(name).map(Self::Failed))
    }
}

impl Flash {
    /// Why a setup ended.
    pub(in crate::web) const fn failed(check: &'static SetupError, reference: Option<String>) -> Self {
        Self { kind: Kind::Failed(check), reference }
    }

    pub(in crate::web) const fn removed() -> Self {
        Self { kind: REMOVED, reference: None }
    }

    /// After a removal, by the answer of the provider; `None`: no answer yet.
    pub(in crate::web) const fn after_revocation(outcome: Option<&RevocationOutcome>) -> Self {
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

    pub(in crate::web) const fn saved() -> Self {
        Self { kind: SAVED, reference: None }
    }

    pub(in crate::web) const fn unlinked() -> Self {
        Self { kind: UNLINKED, reference: None }
    }

    /// After the end of a connect link.
    pub(in crate::web) const fn link_ended() -> Self {
        Self { kind: LINK_ENDED, reference: None }
    }

    pub(in crate::web) const fn endpoint_removed() -> Self {
        Self { kind: ENDPOINT_REMOVED, reference: None }
    }

    pub(in crate::web) const fn redelivered() -> Self {
        Self { kind: REDELIVERED, reference: None }
    }

    /// What the last answer left for this page.
    pub(in crate::web) fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
        let mut cookies = Cookie::split_parse(cookies).filter_map(Result::ok);
        let cookie = cookies.find(|cookie| cookie.name() == COOKIE)?;
        let (name, reference) = cookie.value().split_once('.')?;
        let kind = Kind::named(name)?;
        let is_reference = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self { kind, reference: is_reference.then(|| reference.to_owned()) })
    }

    /// The check that failed, if one did. The person quotes it, and the log has it.
    pub(in crate::web) const fn check(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Failed(check) => Some(check.name),
            Kind::Done(..) => None,
        }
    }

    pub(in crate::web) const fn is_bad(&self) -> bool {
        self.check().is_some()
    }

    pub(in crate::web) const fn text(&self) -> &'static str {
        match self.kind {
            Kind::Failed(check) => check.words,
            Kind::Done(_, text) => text,
        }
    }

    /// Leaves it for the next page.
    pub(in crate::web) fn leave(&self, response: &mut Response) {
        let value = format!("{}.{}", self.kind.name(), self.reference.as_deref().unwrap_or_default());
        set(response, &value, Duration::minutes(1));
    }

    /// Removes it, once a page has shown it.
    pub(in crate::web) fn remove(response: &mut Response) {
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
            let flash = Flash::failed(SetupError::of_refusal(refusal), Some("0a1b".to_owned()));
            let mut response = ().into_response();
            flash.leave(&mut response);
            let cookie = response.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
            let sent = format!("other=1; {}", cookie.split(';').next().unwrap_or_default());
            let found = Flash::of(&headers(&sent)).expect("it is found");
            assert_eq!(found, flash);
            assert_eq!(found.check(), Some(refusal.check()));
        }
    }

    #[test]
    fn a_cookie_of_a_strangers_making_says_nothing_of_its_own() {
        for cookie in ["jackfield-flash=<b>.1", "jackfield-flash=expired", "jackfield-flash="] {
            assert_eq!(Flash::of(&headers(cookie)), None, "{cookie}");
        }
        let flash = Flash::of(&headers("jackfield-flash=expired.<script>")).expect("a known kind");
        assert_eq!(flash.reference, None);
    }
}
