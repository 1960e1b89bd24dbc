//! Tickets: where a program's own front end cannot go on, a ticket leads the customer's browser to
//! the hosted setup, once. The browser that redeems it holds the session from then on.

use super::{connect_service::ConnectSessions, holder::Holder, link::Hold};
use crate::accounts::{generate_with, is_well_formed_with, token_hash};
use jackfield_store::{
    ConnectSessionId, StoreResult, Tx,
    connect_sessions::{self, ConnectData},
    hex,
};

/// Tells a ticket from the tokens that open something for longer.
const PREFIX: &str = "jft_";

impl ConnectSessions {
    /// Makes a ticket of a session. The one before is not good any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_ticket(&self, id: ConnectSessionId) -> StoreResult<Option<String>> {
        let ticket = generate_with(PREFIX);
        let hash = hex(&token_hash(&ticket));
        let issue = move |tx: &mut Tx<'_>| {
            let Some(session) = connect_sessions::lock(tx, id)? else { return Ok(false) };
            let data = ConnectData { ticket_hash: Some(hash), ..session.data(tx)? };
            connect_sessions::set_data(tx, &session, &data)?;
            Ok(true)
        };
        Ok(self.store.write(issue).await?.then_some(ticket))
    }

    /// Has the browser that comes with a ticket hold the session, unless another browser does.
    /// `None` if the ticket is not good.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem_ticket(&self, id: ConnectSessionId, ticket: &str, holder: Holder) -> StoreResult<Option<Hold>> {
        if !is_well_formed_with(PREFIX, ticket) {
            return Ok(None);
        }
        let hash = hex(&token_hash(ticket));
        let redeem = move |tx: &mut Tx<'_>| {
            let Some(session) = connect_sessions::lock(tx, id)? else { return Ok(None) };
            let data = session.data(tx)?;
            // Hashes are compared, so that the time says nothing of the ticket.
            if data.ticket_hash.as_deref() != Some(hash.as_str()) {
                return Ok(None);
            }
            connect_sessions::set_data(tx, &session, &ConnectData { ticket_hash: None, ..data })?;
            let is_theirs = connect_sessions::hold(tx, id, holder.as_bytes())?;
            Ok(Some(if is_theirs { Hold::Ours } else { Hold::OtherBrowser }))
        };
        self.store.write(redeem).await
    }
}
