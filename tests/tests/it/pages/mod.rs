//! A person at a real browser. What HTTP alone can show belongs in the folder of what is shown; an attack, in `attacks`.

pub(crate) mod journeys;
