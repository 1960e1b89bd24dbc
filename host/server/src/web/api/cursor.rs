//! Cursors: where a page of a list begins, as opaque text.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::web::error::{Problem, WebError};
use jackfield_services::integrations::Position;

/// Most rows of one page, and the default.
pub(in crate::web) const PER_PAGE: usize = 100;

/// Reads and writes cursors.
pub(in crate::web) struct Cursor;

impl Cursor {
    /// Opaque text that is safe in a URL.
    pub(in crate::web) fn text(position: &Position) -> String {
        let json = serde_json::to_vec(position).expect("a position is plain JSON");
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    pub(in crate::web) fn parse(text: &str) -> Result<Position, WebError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let position = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        position.ok_or_else(|| Problem::BadRequest.because("The cursor is not valid."))
    }
}

/// What the client asks for, 1 to [`PER_PAGE`].
pub(in crate::web) fn per_page(asked: Option<&str>) -> Result<usize, WebError> {
    let Some(asked) = asked else { return Ok(PER_PAGE) };
    let number: Option<usize> = asked.parse().ok().filter(|number| (1..=PER_PAGE).contains(number));
    number.ok_or_else(|| Problem::BadRequest.because("per_page is a number from 1 to 100."))
}
