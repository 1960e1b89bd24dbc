//! The refresh token of an earlier consent, where a later one brings none. Pure.
//!
//! Many services give a refresh token at the first consent only, as Google does without
//! `prompt=consent`. Nobody has ended it, so it still works.

use super::{
    grants::{Grant, NewTokens, Tokens},
    status::Status,
};
use crate::sealing::sealer::Sealer;

/// New tokens with the refresh token of the grant that they replace. `None` if they have one of
/// their own, or if that one is not theirs: it must be of the same server, client and person, and
/// may do no more than the new consent allows.
pub(super) fn with_kept_refresh_token(before: &Grant, new: &NewTokens, sealer: &Sealer) -> Option<NewTokens> {
    let is_wanted = new.tokens.refresh_token.is_none() && new.tokens.origin.is_some();
    if !is_wanted || before.status != Status::Active {
        return None;
    }
    let old = before.tokens(sealer).ok()?;
    let refresh_token = old.refresh_token.clone()?;
    let is_within = before.scopes.granted.iter().all(|scope| new.scopes.granted.contains(scope));
    let is_theirs = is_of_same_origin(&old, &new.tokens) && is_within;
    is_theirs.then(|| NewTokens {
        tokens: Tokens { refresh_token: Some(refresh_token), ..new.tokens.clone() },
        due_at: before.due_at,
        is_single_use: new.is_single_use.or(before.is_single_use),
        ..new.clone()
    })
}

fn is_of_same_origin(old: &Tokens, new: &Tokens) -> bool {
    let part =
        |tokens: &Tokens| (tokens.origin.clone(), tokens.step.clone(), tokens.state.clone(), tokens.hosts.clone());
    old.origin.is_some() && part(old) == part(new)
}
