//! The audit log of an organization.

use std::sync::LazyLock;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use serde::Deserialize;

use super::{cursor::per_page, integrations::next_link, query::ApiQuery};
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
    },
};
use jackfield_services::{
    accounts::Scope,
    audit::{Action, AuditOut, Filter},
};

/// Says that older entries were removed: from this time on they are there.
const KEPT_SINCE: HeaderName = HeaderName::from_static("jackfield-audit-kept-since");

#[derive(Deserialize)]
pub(in crate::web) struct AuditQuery {
    cursor: Option<String>,
    per_page: Option<String>,
    action: Option<String>,
    provider: Option<String>,
    integration: Option<String>,
}

/// `GET /api/0/organizations/{org}/audit/`: newest first, in pages with a `Link` header (RFC
/// 8288).
pub(in crate::web) async fn audit(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> Result<(HeaderMap, Json<Vec<AuditOut>>), WebError> {
    require(&access, Scope::OrgWrite)?;
    let per_page = per_page(query.per_page.as_deref())?;
    let before = query.cursor.as_deref().map(number).transpose()?;
    let filter = Filter {
        organization: Some(access.organization.id),
        action: query
            .action
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| Problem::BadRequest.because(BAD_ACTION.as_str()))?,
        integration: query.integration.as_deref().map(str::parse).transpose().map_err(|_| bad_number())?,
        provider: query.provider.clone(),
        since: None,
    };
    let listing = app.audit.list(filter, before, per_page).await?;
    let mut headers = HeaderMap::new();
    if let Some(removed) = app.audit.removed().await?
        && let Ok(kept_since) = HeaderValue::from_str(&removed.kept_since)
    {
        headers.insert(KEPT_SINCE, kept_since);
    }
    if let Some(next) = listing.next {
        let url = app.url_prefix.absolute(&format!("/api/0/organizations/{}/audit/", access.organization.slug));
        headers.insert(header::LINK, next_link(&with_filter(&url, &query), &next.to_string(), per_page));
    }
    Ok((headers, Json(listing.rows.into_iter().map(AuditOut::from).collect())))
}

static BAD_ACTION: LazyLock<String> = LazyLock::new(|| {
    let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    format!("There is no such action; there are {}.", words.join(", "))
});

fn bad_number() -> WebError {
    Problem::BadRequest.because("The cursor and the integration are numbers.")
}

fn number(text: &str) -> Result<i64, WebError> {
    text.parse().map_err(|_| bad_number())
}

/// The URL of the next page keeps the filters.
fn with_filter(url: &str, query: &AuditQuery) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    let filters = [("action", &query.action), ("provider", &query.provider), ("integration", &query.integration)];
    for (name, value) in filters {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    let pairs = pairs.finish();
    if pairs.is_empty() { format!("{url}?") } else { format!("{url}?{pairs}&") }
}
