//! Tokens that are revoked at their provider: at a removal, later, in bulk, or not at all. How a
//! grant ends by itself belongs in `grants`.

mod bulk_revocation;
mod revocation;
mod unrevoked;
