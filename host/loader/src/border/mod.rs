//! What a plugin may bring: how much of each thing, and of which characters.
//!
//! Everything that a plugin answers is hostile input. [`reply_limits`] bounds an answer by its
//! bytes before and after it is read, [`html_size`] a page by what it expands to. What is stored or
//! shown for good is checked in one place each: [`integration_check`], [`description_check`].

mod description_check;
mod html_size;
mod integration_check;
mod out_of_bounds;
mod page_links;
mod plain_text;
mod reply_limits;

pub(crate) use description_check::{checked_description, checked_providers};
pub(crate) use html_size::check_html;
pub(crate) use integration_check::{checked_grant, checked_integration, checked_state};
pub use out_of_bounds::OutOfBounds;
pub use page_links::links_in;
pub use plain_text::LONGEST_MESSAGE;
pub(crate) use plain_text::{clean, escaped_words, shown_message};
pub use reply_limits::{Bounded, Unreadable, read_reply};
pub(crate) use reply_limits::{LARGEST_REPLY, is_large};
