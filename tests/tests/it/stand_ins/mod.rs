//! The stand-in services themselves: as strict as what they stand in for. What a host does with them belongs elsewhere.

mod slack_rules;
mod token_rules;
