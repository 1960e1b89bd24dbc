//! An authorization server that depends on the state.

use crate::{OAuth2, Result, State};

/// Describes an authorization server that depends on what earlier steps have bound.
pub(crate) type FromState = dyn Fn(&State) -> Result<OAuth2> + Send + Sync;
