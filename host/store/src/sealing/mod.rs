//! Secrets at rest: authenticated encryption, and the keys for it.
//!
//! Values are sealed under *data keys*, which stand in a table that all hosts share. Data keys are
//! *wrapped* under a line of the secret key, which never is in the database. So the secret key can
//! be changed without sealing every value anew.

pub(crate) mod cipher;
pub(crate) mod data_keys;
mod keyring;
pub(crate) mod sealer;
