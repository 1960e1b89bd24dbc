//! What can be known of the database without a host: whether it answers, whether this version may
//! use it, and whether the secret key is its own. Nothing is made or changed.

use std::path::Path;

use jackfield_config::{
    Diagnostic, Settings,
    text_file::TextFileError,
    writable::{cannot_create, cannot_write, cannot_write_into},
};
use jackfield_store::{SecretKeyId, Store, StoreResult, hex, inspect, organizations};

use crate::open::database_diagnostic;

/// What was found.
#[derive(Debug, Default)]
pub struct DatabaseCheck {
    /// With these a host does not start.
    pub mistakes: Vec<Diagnostic>,
    /// What the operator should know.
    pub warnings: Vec<Diagnostic>,
    /// What a start will do, in words.
    pub notes: Vec<String>,
}

/// Looks at the database and at the secret key.
pub async fn check_database(settings: &Settings) -> DatabaseCheck {
    let mut check = DatabaseCheck::default();
    let unwritable = file_of(settings).and_then(unwritable);
    if let Some((message, help)) = unwritable {
        check.mistakes.push(settings.database.place.diagnostic(message, help));
        return check;
    }
    let named = named_organizations(settings);
    match inspect(&settings.database, slugs(&named)).await {
        Err(error) => check.mistakes.push(database_diagnostic(&settings.database.place, &error)),
        Ok(found) => {
            check.mistakes.extend(wrong_key(settings, &found.secret_keys));
            check.mistakes.extend(found.is_new.then(|| key_cannot_be_made(settings)).flatten());
            let is_known = found.pending.is_none() && !found.is_new;
            check.warnings =
                if is_known { nobodys(settings, &named, &found.missing_organizations) } else { Vec::new() };
            check.notes.extend(
                found
                    .pending
                    .filter(|_| !found.is_new)
                    .map(|pending| format!("{pending}; `jackfield migrate` or a start brings it up to date")),
            );
        }
    }
    check
}

/// Organizations that the configuration names and nobody has, for a host that starts.
///
/// # Errors
/// When the database fails.
pub async fn missing_organizations(settings: &Settings, store: &Store) -> StoreResult<Vec<Diagnostic>> {
    let named = named_organizations(settings);
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let slugs = slugs(&named);
    let missing = store.read(move |tx| organizations::missing(tx, slugs)).await?;
    Ok(nobodys(settings, &named, &missing))
}

/// The key that names each, and its slug.
fn named_organizations(settings: &Settings) -> Vec<(String, String)> {
    let features = settings.features.organizations();
    let of_features = features.into_iter().map(|(feature, slug)| (format!("features.{feature}"), slug));
    let of_endpoints = settings.endpoints.iter().map(|endpoint| (endpoint.key(), endpoint.organization.clone()));
    of_features.chain(of_endpoints).collect()
}

fn slugs(named: &[(String, String)]) -> Vec<String> {
    named.iter().map(|(_, slug)| slug.clone()).collect()
}

fn file_of(settings: &Settings) -> Option<&Path> {
    settings.database.url.as_str().strip_prefix("sqlite://").map(Path::new)
}

/// SQLite writes the file, and files beside it.
fn unwritable(file: &Path) -> Option<(String, String)> {
    let shown = file.display();
    let words = |TextFileError { message, help, .. }: TextFileError| (format!("{shown}: {message}"), help);
    if file.is_dir() {
        let help = "write sqlite://PATH of a file in it".to_owned();
        return Some((format!("{shown}: a folder, not a file"), help));
    }
    if !file.exists() {
        return cannot_create(file).map(words);
    }
    cannot_write(file).or_else(|| cannot_write_into(file.parent().unwrap_or(Path::new(".")))).map(words)
}

/// A key that the database needs and the configuration does not have.
fn wrong_key(settings: &Settings, needed: &[SecretKeyId]) -> Option<Diagnostic> {
    let source = &settings.system.secret_key;
    let first = needed.first()?;
    if source.is_missing() {
        return Some(source.missing(Some(&hex(first))));
    }
    // What is wrong with the key itself is told by itself.
    let keys = source.load().ok()?;
    let lacking = needed.iter().find(|id| keys.find(**id).is_none())?;
    let ours: Vec<String> = keys.all().iter().map(|key| hex(&key.id())).collect();
    Some(source.wrong_key(&hex(lacking), &ours.join(", ")))
}

/// A new installation makes its key.
fn key_cannot_be_made(settings: &Settings) -> Option<Diagnostic> {
    let source = &settings.system.secret_key;
    let TextFileError { message, help, .. } = cannot_create(source.file()?)?;
    Some(source.diagnostic(format!("the key cannot be made: {message}"), help))
}

/// Organizations that a feature names and nobody has.
fn nobodys(settings: &Settings, named: &[(String, String)], missing: &[String]) -> Vec<Diagnostic> {
    named
        .iter()
        .filter(|(_, slug)| missing.contains(slug))
        .map(|(key, slug)| {
            let message = format!("there is no organization `{slug}`");
            let help = "`jackfield org list` shows the slugs; `jackfield org create` makes one";
            settings.diagnostic_of(key, message, help)
        })
        .collect()
}
