//! Who opens the link of a connect session: the hosted pages ask here.

use super::{
    connect_principal::ConnectPrincipal, connect_service::ConnectSessions, connect_service::PREFIX, holder::Holder,
};
use crate::{
    accounts::{is_well_formed_with, token_hash},
    session::SessionKey,
};
use jackfield_store::{
    ConnectSessionId, OrganizationId, StoreResult, Tx,
    connect_sessions::{self, ConnectProof, ConnectTerms},
    hex,
};

/// What a browser has shown so far, beside its cookie.
#[derive(Clone, Debug, Default)]
pub struct ShownProof {
    /// The nonce that a page of the program has handed over.
    pub nonce: Option<String>,
}

/// Whether a browser holds a session, after it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It does.
    Ours,
    /// It has to prove first that it may.
    Unproved(ConnectProof),
    /// Another browser does.
    OtherBrowser,
}

impl ConnectSessions {
    /// The session of a token, whether it can be used or not; `None` if there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_token(&self, token: &str) -> StoreResult<Option<ConnectPrincipal>> {
        let Some(key) = key_of(token) else { return Ok(None) };
        self.store.read(move |tx| ConnectPrincipal::of_key(tx, &key)).await
    }

    /// A session of an organization, whether it can be used or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_organization(
        &self,
        organization: OrganizationId,
        id: ConnectSessionId,
    ) -> StoreResult<Option<ConnectPrincipal>> {
        let found = self.store.read(move |tx| ConnectPrincipal::of_id(tx, id)).await?;
        Ok(found.filter(|session| session.session.organization == organization))
    }

    /// The session of an id that a browser holds, whether it can be used or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held(&self, id: ConnectSessionId, holder: Holder) -> StoreResult<Option<ConnectPrincipal>> {
        let found = self.store.read(move |tx| ConnectPrincipal::of_id(tx, id)).await?;
        Ok(found.filter(|session| session.check_holder(Some(holder)).is_ok()))
    }

    /// Has a browser hold an open session, if its proof allows that. The first of several gets it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold(&self, session: &ConnectPrincipal, holder: Holder, shown: &ShownProof) -> StoreResult<Hold> {
        if session.check_holder(Some(holder)).is_ok() {
            return Ok(Hold::Ours);
        }
        if session.session.holder.is_some() {
            return Ok(Hold::OtherBrowser);
        }
        let terms = &session.session.terms;
        if !is_proved(terms, shown) {
            return Ok(Hold::Unproved(terms.proof));
        }
        self.give_to(session.session.id, holder).await
    }

    /// Has a browser hold a session, unless another does.
    pub(super) async fn give_to(&self, id: ConnectSessionId, holder: Holder) -> StoreResult<Hold> {
        let hold = move |tx: &mut Tx<'_>| connect_sessions::hold(tx, id, holder.as_bytes());
        Ok(if self.store.write(hold).await? { Hold::Ours } else { Hold::OtherBrowser })
    }
}

/// Whether a browser may take a session that nobody holds.
fn is_proved(terms: &ConnectTerms, shown: &ShownProof) -> bool {
    match terms.proof {
        ConnectProof::Browser => true,
        ConnectProof::Page => {
            // Hashes are compared, so that the time says nothing of the nonce.
            let shown = shown.nonce.as_deref().map(|nonce| hex(&token_hash(nonce)));
            shown.is_some() && shown == terms.nonce_hash
        }
        ConnectProof::LogIn => false,
    }
}

/// The key of a session: the hash of its token.
fn key_of(token: &str) -> Option<SessionKey> {
    is_well_formed_with(PREFIX, token).then(|| SessionKey::stored(&token_hash(token))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_proves_itself_by_its_nonce_and_nothing_else() {
        let nonce_hash = Some(hex(&token_hash("0123456789abcdef")));
        let page = ConnectTerms { proof: ConnectProof::Page, nonce_hash, ..ConnectTerms::default() };
        let shown = |nonce: &str| ShownProof { nonce: Some(nonce.to_owned()) };
        assert!(is_proved(&page, &shown("0123456789abcdef")));
        assert!(!is_proved(&page, &shown("0123456789abcdeg")) && !is_proved(&page, &ShownProof::default()));
        let without = ConnectTerms { nonce_hash: None, ..page };
        assert!(!is_proved(&without, &ShownProof::default()), "nothing is no nonce");
        assert!(is_proved(&ConnectTerms::default(), &ShownProof::default()), "the first browser");
        let log_in = ConnectTerms { proof: ConnectProof::LogIn, ..ConnectTerms::default() };
        assert!(!is_proved(&log_in, &shown("0123456789abcdef")));
    }
}
