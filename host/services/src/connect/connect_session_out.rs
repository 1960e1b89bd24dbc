//! A connect session as JSON.

use serde::Serialize;
use time::OffsetDateTime;

use jackfield_config::clock::rfc3339;
use jackfield_store::{
    connect_sessions::{ConnectProof, ConnectSession, ConnectTerms},
    subject::{Subject, Tags},
};

/// A session, without its token. Ids are decimal text, and times RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectSessionOut {
    /// Id.
    pub id: String,
    /// `open`, `completed`, `expired` or `ended`.
    pub status: &'static str,
    /// Ids of the providers that may be connected; `None`: all.
    pub providers: Option<Vec<String>>,
    /// Id of the integration to connect again.
    pub integration: Option<String>,
    /// The program's own customer.
    pub subject: Option<Subject>,
    /// What the program wants to find the integration by.
    pub tags: Tags,
    /// The origin of the program's page.
    pub origin: Option<String>,
    /// Where the person is led in the end.
    pub return_url: Option<String>,
    /// `browser`, `page` or `log-in`.
    pub proof: ConnectProof,
    /// The issuer of the proof `log-in`.
    pub issuer: Option<String>,
    /// Whether somebody has opened the link, and proved to be who may.
    pub is_held: bool,
    /// Which check has failed in the last attempt.
    pub failure: Option<String>,
    /// Id of the integration that came of it.
    pub connected_integration: Option<String>,
    /// Who has made it: the name of an API token, or an e-mail address.
    pub created_by: String,
    /// When it was made.
    pub date_added: Option<String>,
    /// Until when it can be used.
    pub expires_at: Option<String>,
    /// When it was used or ended.
    pub date_ended: Option<String>,
}

impl ConnectSessionOut {
    /// A session as it is at a time.
    #[must_use]
    pub fn at(session: ConnectSession, now: OffsetDateTime) -> Self {
        let status = session.status_at(now).as_str();
        let ConnectTerms { providers, integration, subject, tags, origin, return_url, proof, issuer, .. } =
            session.terms;
        Self {
            id: session.id.to_string(),
            status,
            providers: (!providers.is_empty()).then_some(providers),
            integration: integration.map(|id| id.to_string()),
            subject,
            tags,
            origin,
            return_url,
            proof,
            issuer,
            is_held: session.holder.is_some(),
            failure: session.failure,
            connected_integration: session.connected.map(|id| id.to_string()),
            created_by: session.made_by.name,
            date_added: rfc3339(session.date_added),
            expires_at: rfc3339(session.expires_at),
            date_ended: session.date_ended.and_then(rfc3339),
        }
    }
}
