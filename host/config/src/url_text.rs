//! URLs in errors and logs, without what somebody logs in with.

use std::borrow::Cow;

use url::Url;

/// A URL without user and password. Where there are some, or it cannot be read, all from `//` to
/// the last `@` goes: an `@` or `/` may stand in the password.
#[must_use]
pub fn without_user(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("//") else { return url.into() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_user = authority.contains('@') || Url::parse(url).is_err();
    match rest.rsplit_once('@').filter(|_| has_user) {
        Some((_, place)) => format!("{scheme}//{place}").into(),
        None => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_reads_what_somebody_logs_in_with() {
        for (url, shown) in [
            ("https://acme.example/a?b", "https://acme.example/a?b"),
            ("https://jack:hunter2@acme.example/a", "https://acme.example/a"),
            ("https://jack:p@ss/w@acme.example", "https://acme.example"),
            ("https://jack:p/w@acme.example", "https://acme.example"),
            ("https://acme.example/@team", "https://acme.example/@team"),
            ("jack", "jack"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }
}
