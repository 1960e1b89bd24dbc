//! From the configuration to running plugins and their providers.
//!
//! [`candidates`] starts what is listed or declared, or finds it running, after [`settle`] has said
//! whose each provider is. [`assembly`] decides
//! which of it is used and makes the providers. [`unclaimed`] finds tables that belong to nothing.
//! Each collects what is wrong, so that the operator reads all of it at once. [`load`] does all of
//! it, and hands out what takes long as a [`StartingPlugin`].

mod assembly;
mod candidates;
mod introduction;
mod load;
mod load_progress;
mod loaded;
mod option_diagnostic;
mod settle;
mod starting_plugin;
mod unclaimed;

pub(crate) use assembly::provider_of;
pub use load::READY_AFTER;
pub(crate) use load::{Loading, WITHOUT_LIMIT, load};
pub use load_progress::LoadProgress;
pub(crate) use loaded::{Loaded, NotReady};
pub use starting_plugin::StartingPlugin;
