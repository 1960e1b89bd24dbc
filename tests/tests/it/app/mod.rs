//! What the tests of every folder start from: a host with an organization and its people, clients, and the database seen from outside. No test
//! belongs here.

pub(crate) mod api_client;
pub(crate) mod hostile_app;
pub(crate) mod test_app;
