//! The keys that secrets are sealed with: rotated, shared by several hosts, interrupted. What they
//! seal belongs in `store`.

mod killed_rotation;
pub(crate) mod rotation;
mod shared_keys;
mod unknown_columns;
