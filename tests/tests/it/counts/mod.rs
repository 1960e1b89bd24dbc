//! What requests cost in things that can be counted: statements, round trips, syncs, allocations.
//! They are the same on each machine, so that a change that adds a statement to a setup fails here
//! until somebody says that it is on purpose. How fast it all is belongs in `cargo peers`.

mod counted_app;
mod kept;
mod requests;
