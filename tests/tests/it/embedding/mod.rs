//! What a product needs that embeds the host: the script for its pages.

mod script;
