//! One request to an endpoint, signed, and what it answers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use time::OffsetDateTime;
use url::Url;

use super::{attempt_result::AttemptResult, webhook_signature::signatures};
use jackfield_oauth2::retry_after;
use jackfield_outbound::{Incoming, Outbound, OutboundError, Outgoing};
use jackfield_store::{endpoints::EndpointSecrets, milliseconds};

/// How long an endpoint may take for its answer.
pub(super) const LONGEST: Duration = Duration::from_secs(15);
/// How much of an answer is read, and how long.
const READ: usize = 4096;
const READING: Duration = Duration::from_secs(2);
/// Most characters of an answer that are kept.
const KEPT: usize = 300;

/// Something to be sent to an endpoint.
pub(super) struct DeliveryRequest<'a> {
    pub(super) url: &'a str,
    pub(super) secrets: &'a EndpointSecrets,
    /// Id of the event.
    pub(super) id: &'a str,
    /// What is sent and signed.
    pub(super) body: &'a str,
}

impl DeliveryRequest<'_> {
    /// Sends it, signed with the time. A redirect is followed by nobody, so it is an answer that
    /// fails.
    pub(super) async fn send(&self, outbound: &Outbound, now: OffsetDateTime) -> AttemptResult {
        let began = Instant::now();
        let sent = tokio::time::timeout(LONGEST, self.exchange(outbound, now)).await;
        let mut result = match sent {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => AttemptResult { error: Some(plain(&error.to_string())), ..AttemptResult::default() },
            Err(_) => {
                let words = format!("no answer within {} seconds", LONGEST.as_secs());
                AttemptResult { error: Some(words), ..AttemptResult::default() }
            }
        };
        result.duration = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        result
    }

    async fn exchange(&self, outbound: &Outbound, now: OffsetDateTime) -> Result<AttemptResult, OutboundError> {
        let url = Url::parse(self.url).map_err(|_| OutboundError::Url)?;
        let request = self.request(now).map_err(|_| OutboundError::Url)?;
        let answer = outbound.send_streamed(&url, request, LONGEST).await?;
        let (head, body) = answer.into_parts();
        let text = tokio::time::timeout(READING, beginning(body)).await.unwrap_or_default();
        Ok(result(head.status, &head.headers, &text, now))
    }

    fn request(&self, now: OffsetDateTime) -> Result<Request<Outgoing>, http::Error> {
        let Self { secrets, id, body, .. } = self;
        let timestamp = now.unix_timestamp();
        Request::post("/")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "*/*")
            .header(header::USER_AGENT, concat!("Jackfield/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", *id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures(secrets, id, timestamp, body, milliseconds(now)))
            .body(Outgoing::Whole(Bytes::copy_from_slice(body.as_bytes())))
    }
}

fn result(status: StatusCode, headers: &HeaderMap, text: &str, now: OffsetDateTime) -> AttemptResult {
    let answered = AttemptResult { status: Some(status.as_u16()), ..AttemptResult::default() };
    if answered.is_success() {
        return answered;
    }
    let error = if text.is_empty() { format!("answered {status}") } else { format!("answered {status}: {text}") };
    AttemptResult { retry_after: retry_after(headers, now), error: Some(error), ..answered }
}

/// The beginning of an answer, on one line. What cannot be read is not needed.
async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < READ {
        match body.frame().await {
            Ok(Some(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[][..], AsRef::as_ref)),
            Ok(None) | Err(_) => break,
        }
    }
    plain(&String::from_utf8_lossy(&bytes))
}

fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_fails_is_kept_in_a_few_words() {
        let answer = |status: u16, text: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            result(status, &HeaderMap::new(), &plain(text), OffsetDateTime::UNIX_EPOCH).error
        };
        assert_eq!(answer(204, "x"), None);
        assert_eq!(answer(500, " a\n\tb\u{7} "), Some("answered 500 Internal Server Error: a b".to_owned()));
        assert_eq!(answer(302, ""), Some("answered 302 Found".to_owned()));
        assert!(answer(500, &"x".repeat(5000)).is_some_and(|error| error.len() < KEPT + 50));
    }
}
