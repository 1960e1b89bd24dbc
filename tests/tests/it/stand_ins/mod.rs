//! The stand-in services themselves: as strict as the real ones. What a host does with them belongs
//! in the other folders.

mod slack_rules;
mod token_rules;
