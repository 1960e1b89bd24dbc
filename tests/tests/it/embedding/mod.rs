//! What a product needs that embeds the host: the script for its pages, and links by hand.

mod links_page;
mod script;
