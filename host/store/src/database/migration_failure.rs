//! Why the schema of a database cannot be brought up to date, and what the operator can do.

use std::error::Error;

use crate::error::StoreError;

/// What PostgreSQL or SQLite says, in part, and what helps.
const HELP: [(&str, &str); 7] = [
    (
        "permission denied",
        "let the user of database.url create tables there: GRANT CREATE ON SCHEMA public TO USER, or make it the owner of the database",
    ),
    (
        "no schema has been selected",
        "the search_path of the user names no schema that exists: CREATE SCHEMA, or ALTER ROLE USER SET search_path = public",
    ),
    ("already exists", "give jackfield a database of its own; if this one is its own, put back a backup"),
    ("no such table", "put back a backup: a part of the database is missing"),
    ("does not exist", "put back a backup: a part of the database is missing"),
    ("read-only", "name a database that takes writes; a standby does not"),
    ("readonly", "let the host's user write the database file and its folder"),
];

/// The error of a migration, with help.
pub(crate) fn explained(error: &(dyn Error + 'static)) -> StoreError {
    let said = error.to_string();
    match HELP.iter().find(|(part, _)| said.contains(part)) {
        Some((_, help)) => StoreError::Refused {
            message: format!("the database cannot be brought up to date: {said}"),
            help: (*help).to_owned(),
        },
        None => StoreError::Migrate(said),
    }
}
