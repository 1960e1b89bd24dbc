//! Who a user or client is: login, sessions, API tokens, and how each is taken back. What they may
//! do is tested where they do it.

mod api_tokens;
mod log_in_records;
mod login;
mod organization_commands;
mod token_commands;
mod user_commands;
