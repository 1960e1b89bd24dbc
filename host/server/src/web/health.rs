//! For monitoring.

use axum::{extract::State, http::StatusCode};

use crate::app::AppHandle;
use jackfield_services::StoreError;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database can serve. Those who ask at the same time share the answer, which
/// takes two seconds at most. Plugins that are not ready are named: they hold up nobody
/// else.
pub(super) async fn ready(State(app): State<AppHandle>) -> (StatusCode, String) {
    match app.database.ready().await {
        Ok(()) => (StatusCode::OK, readiness(&app.plugins.not_ready())),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, not_ready(&error)),
    }
}

/// Why, as anybody may read it. The log has more, once.
fn not_ready(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(why) => why.reason.words().to_owned(),
        StoreError::Refused { .. } => "the database is of another version".to_owned(),
        error => {
            tracing::warn!(%error, "not ready");
            "the database is not ready".to_owned()
        }
    }
}

fn readiness(not_ready: &[String]) -> String {
    if not_ready.is_empty() { "ready".to_owned() } else { format!("ready; not ready yet: {}", file_names(not_ready)) }
}

/// Entries of plugins as anybody may read them: the file's name alone of a path.
pub(crate) fn file_names(entries: &[String]) -> String {
    let name = |entry: &String| entry.rsplit('/').next().unwrap_or_default().to_owned();
    entries.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_that_are_not_ready_are_named_without_their_folders() {
        assert_eq!(readiness(&[]), "ready");
        let entries = ["acme".to_owned(), "/srv/plugins/libcrowd.so".to_owned()];
        assert_eq!(readiness(&entries), "ready; not ready yet: acme, libcrowd.so");
    }
}
