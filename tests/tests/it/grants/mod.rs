//! Tokens after the setup: read, refreshed, and ended by an event. Ending them at the provider
//! belongs in `revocations`.

mod access_tokens;
mod deliveries;
mod events;
mod events_app;
mod refreshes;
mod refusals;
mod taken_away;
