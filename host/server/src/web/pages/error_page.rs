//! Pages of errors, and the page that describes the error codes of the API.

use askama::Template;
use axum::response::Response;

use super::assets;
use crate::web::{
    error::{Problem, WebError},
    html::html,
};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    title: &'static str,
    detail: &'a str,
    reference: &'a str,
}

/// An error as a person reads it, with the reference that is in the log.
pub(in crate::web) fn page(error: &WebError, reference: &str) -> Response {
    let (title, detail) = words(error);
    html(&ErrorPage { status: error.problem.status().as_u16(), title, detail, reference })
}

fn words(error: &WebError) -> (&'static str, &str) {
    match error.problem {
        Problem::NotLoggedIn | Problem::InvalidToken => ("Log in first", &error.detail),
        Problem::MissingScope => {
            ("You do not have access to this", "Only owners and managers of the organization can do this.")
        }
        Problem::CrossSite => ("Open this from Jackfield", &error.detail),
        Problem::NotFound | Problem::NoGrant => {
            ("Page not found", "It may have been removed, or you may not have access.")
        }
        Problem::BadRequest => ("This link is out of date", "Start from the first page."),
        Problem::BadText => (
            "This text cannot be used",
            "The address, or what you entered, holds a character that does not show, such as a line end. \
             Go back and type it again.",
        ),
        Problem::TooManySetups => ("Too many unfinished connections", "Try again in a few minutes."),
        Problem::Unreadable => ("This cannot be read", &error.detail),
        Problem::DatabaseUnavailable => ("Jackfield cannot reach its data", &error.detail),
        Problem::OutcomeUnknown => (
            "Check whether this was saved",
            "Jackfield lost its database while it saved this. It may be saved or not. Look, then try again.",
        ),
        Problem::Internal => (
            "Something went wrong",
            "Jackfield could not finish this. Check whether your change was saved, then try again.",
        ),
        problem => (problem.title(), &error.detail),
    }
}

#[derive(Template)]
#[template(path = "error_codes.html")]
struct ErrorCodesPage {
    problems: Vec<Problem>,
}

/// `GET /api/errors/`: where the `type` of a problem leads.
pub(in crate::web) async fn codes() -> Response {
    let mut problems: Vec<Problem> = Problem::ALL.to_vec();
    problems.dedup_by_key(|problem| problem.code());
    html(&ErrorCodesPage { problems })
}
