//! From the configuration to running plugins and their providers.
//!
//! [`introduction`] gets to know what is listed or declared, and [`provider_claim`] says whose each
//! provider is. [`candidates`] starts it, or finds it running. [`assembly`] decides which of it is
//! used and makes the providers. [`unclaimed`] finds tables that belong to nothing, [`warnings`]
//! what loads and cannot work. Each collects what is wrong, so that the operator reads all of it at
//! once. [`load`] does all of it, and hands out what takes long as a [`StartingPlugin`].

mod assembly;
mod candidates;
mod introduction;
mod load;
mod load_progress;
mod loaded;
mod option_diagnostic;
mod provider_claim;
mod serde_words;
mod starting_plugin;
mod unclaimed;
mod warnings;

pub(crate) use assembly::provider_of;
pub use load::READY_AFTER;
pub(crate) use load::{Loading, WITHOUT_LIMIT, load};
pub use load_progress::LoadProgress;
pub(crate) use loaded::{Loaded, NotReady};
pub use starting_plugin::StartingPlugin;
pub(crate) use warnings::warnings;
