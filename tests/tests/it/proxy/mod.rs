//! Calls of a service's API through the host. Reading a token to call the API without the host
//! belongs in `grants`.

pub(crate) mod abuse;
mod calls;
mod strange_heads;
mod streams;
