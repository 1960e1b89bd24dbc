//! Journeys of a user in a real browser. What can be tested with HTTP alone belongs in the other
//! folders; an attack, in `attacks`.

mod accessibility;
pub(crate) mod browser_app;
mod journeys;
mod service_answers;
