//! What is installed, and what can be; and how the API answers what it does not carry out. How an integration gets there
//! belongs in `setup`, how it goes in `revocations`.

mod api_errors;
mod listing;
