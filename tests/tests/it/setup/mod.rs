//! A setup from start to end, whatever the provider: who may, in how many tabs, and what users
//! read. What is special to one provider belongs in `providers`.

mod answers;
mod checks;
mod concurrent_setups;
mod dialog;
pub(crate) mod failure_page;
mod reinstall;
