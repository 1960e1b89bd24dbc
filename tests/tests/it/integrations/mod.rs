//! What is installed, and what can be. Installing it belongs in `setup`, removing it in
//! `revocations`.

mod api_errors;
mod listing;
