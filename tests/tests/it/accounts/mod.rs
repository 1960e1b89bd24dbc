//! Who a user or client is: login, sessions, API tokens. What they may do is tested where they do
//! it.

mod login;
