//! How long a server asks to be left alone (RFC 9110 section 10.2.3).

use std::time::Duration;

use http::{HeaderMap, header};
use time::OffsetDateTime;

/// The pause that an answer asks for: seconds, or a date in any of the three forms of RFC 9110
/// section 5.6.7.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::from(httpdate::parse_http_date(text).ok()?);
    Some((date - now).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-25 12:00 UTC);

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let cases = [
            ("120", Some(120)),
            ("Wed, 25 Nov 2026 12:01:00 GMT", Some(60)),
            ("Wednesday, 25-Nov-26 12:01:00 GMT", Some(60)),
            ("Wed Nov 25 12:01:00 2026", Some(60)),
            ("Wed, 25 Nov 2026 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ];
        for (text, seconds) in cases {
            let headers = [(header::RETRY_AFTER, text.parse().expect("a header value"))].into_iter().collect();
            assert_eq!(retry_after(&headers, NOW), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
