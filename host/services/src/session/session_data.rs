//! What a session's data hold, by key.

use std::{collections::HashMap, net::IpAddr};

use serde::de::DeserializeOwned;
use serde_json::Value;

use jackfield_store::UserId;

/// The user's id.
pub(super) const USER: &str = "user";
/// The generation of the user's sessions that this is one of.
pub(super) const GENERATION: &str = "generation";
/// When the user logged in: seconds since 1970 UTC.
pub(super) const SINCE: &str = "since";
/// From which address.
pub(super) const ADDRESS: &str = "address";
/// With which browser.
pub(super) const USER_AGENT: &str = "user-agent";

/// Who is logged in.
pub(super) fn user(data: &HashMap<String, Value>) -> Option<UserId> {
    value(data, USER)
}

/// The generation of the user's sessions that it is of. Sessions from before there were generations
/// are of the first.
pub(super) fn generation(data: &HashMap<String, Value>) -> i64 {
    value(data, GENERATION).unwrap_or_default()
}

pub(super) fn since(data: &HashMap<String, Value>) -> Option<i64> {
    value(data, SINCE)
}

pub(super) fn address(data: &HashMap<String, Value>) -> Option<IpAddr> {
    value(data, ADDRESS)
}

pub(super) fn user_agent(data: &HashMap<String, Value>) -> Option<String> {
    value(data, USER_AGENT)
}

fn value<T: DeserializeOwned>(data: &HashMap<String, Value>, key: &str) -> Option<T> {
    serde_json::from_value(data.get(key)?.clone()).ok()
}
