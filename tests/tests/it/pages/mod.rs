//! Journeys of a user in a real browser. What can be tested with HTTP alone belongs in the other
//! folders; an attack, in `attacks`.

pub(crate) mod journeys;
