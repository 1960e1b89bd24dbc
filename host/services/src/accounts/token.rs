//! Bearer tokens for machines (RFC 6750).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::Access;
use jackfield_store::{StoreError, StoreResult, Tx, api_tokens, audit::Actor, organizations};

/// Lets people and secret scanners recognize a token.
const PREFIX: &str = "jf_";

/// A token of 256 random bits.
pub(super) fn fresh() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of it. No salt: there is nothing to guess in 256 random bits.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

pub(super) fn access(tx: &mut Tx<'_>, hash: &[u8]) -> StoreResult<Option<Access>> {
    let Some((id, name, organization, scopes)) = api_tokens::by_hash(tx, hash)? else { return Ok(None) };
    let Some(organization) = organizations::by_id(tx, organization)? else { return Ok(None) };
    let scopes = scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>();
    let scopes = scopes.map_err(|_: String| StoreError::Corrupt("the scopes of a token"))?;
    Ok(Some(Access { organization, actor: Actor::token(id, name), scopes }))
}
