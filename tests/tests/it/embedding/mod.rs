//! What a product needs that embeds the host: the script for its pages, and links by hand; and what
//! its customers see in a browser.

mod document;
mod embedded_app;
mod journeys;
mod links_page;
mod program_site;
mod script;
mod strangers;
