//! Calls of a service's API through the host. Reading a token to call it oneself belongs in `grants`.

mod abuse;
mod calls;
mod streams;
