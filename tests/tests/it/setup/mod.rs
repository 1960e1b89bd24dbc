//! A set-up from its start to its end, whatever the provider: who may, in how many tabs, and what people read. What is special to one provider
//! belongs in `providers`.

mod checks;
mod concurrent_setups;
mod dialog;
pub(crate) mod failure_page;
mod reinstall;
