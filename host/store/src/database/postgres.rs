//! Opens a connection to PostgreSQL, and keeps the password out of what libpq says.

use diesel::{PgConnection, connection::Connection as _};
use url::{Url, form_urlencoded};

use crate::error::{StoreError, StoreResult};

/// Opens a connection. libpq repeats parts of a URL that it cannot read, so the password is taken
/// out of its message, as it is written and as it is decoded.
///
/// # Errors
/// When the URL cannot be read, or the server does not let this host in.
pub(crate) fn open(target: &str) -> StoreResult<PgConnection> {
    let unreadable = || StoreError::Connect("not a URL that can be read; write special characters as %XX".to_owned());
    let url = Url::parse(target).map_err(|_| unreadable())?;
    PgConnection::establish(target).map_err(|error| {
        let redact = |message: String, password: &String| message.replace(password.as_str(), "[password]");
        let message = passwords(&url).iter().fold(error.to_string(), redact);
        StoreError::Connect(format!("{}; check that the server runs and lets this host in", message.trim()))
    })
}

/// The password as it stands in the URL, and decoded, wherever it stands.
fn passwords(url: &Url) -> Vec<String> {
    let written = url.password().map(str::to_owned);
    let decoded = written.as_ref().map(|text| {
        let pair = format!("password={}", text.replace('+', "%2B"));
        form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).collect::<String>()
    });
    let queried = url.query_pairs().filter(|(name, _)| name == "password").map(|(_, value)| value.into_owned());
    written.into_iter().chain(decoded).chain(queried).filter(|password| !password.is_empty()).collect()
}
