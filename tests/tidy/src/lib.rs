//! Reads the source of this repository and says where it leaves the shape that ARCHITECTURE.md
//! draws.
//!
//! Each module looks for one kind of fault and answers a line for each place. What is a fault, and
//! what is not, is decided in `tests/house.rs`. It is a package of its own so that it compiles and
//! runs in seconds, without the host.

mod borders;
mod circles;
mod files;
mod impls;
mod modules;
mod names;
mod rooms;
mod sources;

pub use borders::{Border, crossed};
pub use circles::circles;
pub use files::{loose_ends, too_long, unsafe_or_abi, without_purpose};
pub use impls::scattered_impls;
pub use modules::{Module, Package};
pub use names::{module_names_twice, names, wide_comments};
pub use rooms::upward_imports;
pub use sources::{code, root, sources};
