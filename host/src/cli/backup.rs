//! What `config check` says of backups.

use jackfield_config::DatabaseUrl;

/// Which parts a backup has, in one line.
pub(super) fn note(url: &DatabaseUrl) -> String {
    let database = match url.as_str().strip_prefix("sqlite://") {
        Some(file) => format!("{file} after a clean stop"),
        None => format!("what pg_dump writes of {url}"),
    };
    format!("note: a backup is {database}, and apart from it the secret key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_told_for_either_database_without_a_password() {
        let note = |url: &str| note(&url.parse().expect("a URL"));
        let file = note("sqlite://data/jackfield.db");
        assert_eq!(file, "note: a backup is data/jackfield.db after a clean stop, and apart from it the secret key");
        let server = note("postgres://jack:hunter2@db.example/jackfield");
        assert!(server.contains("pg_dump writes of postgres://db.example/jackfield, and"), "{server}");
    }
}
